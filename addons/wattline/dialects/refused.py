"""What a provider said when it refused a request, whatever its dialect."""

from __future__ import annotations

import json
import re
from typing import Any

from wattline.base.errors import ClientFault, Kind

SHOWN = 500
"""Characters of a provider's own words that a client is shown."""
_WORD = re.compile(r"[a-z0-9_.]{1,64}")
_KINDS = {404: Kind.NOT_FOUND, 413: Kind.TOO_LARGE}


def refused(status: int, body: bytes) -> ClientFault:
    """The client's request was wrong, says a provider that speaks another dialect. `status` is 4xx, `body`
    its answer; of that the message is kept, cut and on one line.
    """
    error = _error(body)
    said = _text(error) or "it gave no reason"
    code = error.get("code") if isinstance(error, dict) else None
    return ClientFault(
        f"The provider refused the request: {said}",
        status=status,
        code=code if isinstance(code, str) and _WORD.fullmatch(code) else "refused_by_provider",
        kind=_KINDS.get(status, Kind.INVALID_REQUEST),
        should_retry=False,
    )


def _error(body: bytes) -> Any:
    """The part that tells: `error` of an object, or the object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict) and "error" in value:
        return value["error"]
    return value


def _text(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("message", error.get("detail"))
    if not isinstance(error, str):
        return ""
    plain = "".join(char if char.isprintable() else " " for char in error[: SHOWN * 2])
    return " ".join(plain.split())[:SHOWN]
