"""Calls whose path is nearly right: what is wrong with it, before it is taken for another page's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.base.errors import ClientFault, Kind
from wattline.dialects.gemini.paths import OPERATIONS

_MODEL: Final = re.compile(r"/(?:models|tunedModels|dynamic)/(.+)(?::|%3[Aa])([A-Za-z]+)/?\Z")
_METHODS: Mapping[str, str] = MappingProxyType({name.lower(): name for name in OPERATIONS})
_SLASH: Final = re.compile(r"%2[Ff]")
SHOWN: Final = 200


def misdirected(method: str, target: str) -> ClientFault | None:
    """What to say of a request for one of Gemini's calls that has the wrong method, another case, or an encoded
    slash in the model's name; None for all others. `target` is the path with its query, as it came.
    """
    path = target.partition("?")[0]
    found = _MODEL.search(path)
    if found is None or (meant := _METHODS.get(found[2].lower())) is None:
        return None
    if found[2] != meant:
        return ClientFault(
            f"There is no method {found[2]!r}. Did you mean :{meant}?",
            status=404,
            code="unknown_path",
            kind=Kind.NOT_FOUND,
        )
    if _SLASH.search(found[1]):
        plain = _SLASH.sub("/", found[1])[:SHOWN]
        return ClientFault(
            "The model's name in the path has an encoded slash (%2F). Send it plain: "
            f"…/models/{plain}:{meant}.",
            code="ambiguous_path",
        )
    if method != "POST":
        return ClientFault(
            f"{path[:SHOWN]} takes POST, not {method}.", status=405, code="method_not_allowed"
        )
    return None
