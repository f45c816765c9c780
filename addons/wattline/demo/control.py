"""`/_demo/knobs`: read and change the knobs while the provider runs.

GET answers all of them; PATCH changes those that it names; PUT sets all, those left out to their
defaults. The answer is always the knobs as they are now.
"""

from __future__ import annotations

import msgspec

from wattline.demo.check import Refused
from wattline.demo.knobs import KnobError, Knobs

PATH = "/_demo/knobs"
METHODS = ("GET", "PUT", "PATCH")


def changed_knobs(method: str, body: bytes, now: Knobs) -> Knobs:
    """The knobs after this request. Raises Refused."""
    if method == "GET":
        return now
    try:
        return (now if method == "PATCH" else Knobs()).changed(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        raise Refused("The body must be a JSON object of knobs.") from None
    except KnobError as error:
        raise Refused(str(error), param=error.name or None, code="invalid_value") from None
