"""Calls whose path is nearly right: what is wrong with it, before it is taken for another page's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.base.errors import ClientFault, Kind, wrong_method
from wattline.dialects.gemini.paths import OPERATIONS

_MODEL: Final = re.compile(r"/(?:models|tunedModels|dynamic)/(.+)(?::|%3[Aa])([A-Za-z]+)/?\Z")
_METHODS: Mapping[str, str] = MappingProxyType({name.lower(): name for name in OPERATIONS})
_GEMINI: Final = re.compile(r"/(?:v2|v1|v1beta|v1alpha)/")
_OF_METHODS: Final = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
"""As Gemini's methods are written; what follows a colon in a model's name is a tag (`llama3:latest`)."""
_SLASH: Final = re.compile(r"%2[Ff]")
SHOWN: Final = 200
LONGEST: Final = 1_024
"""Characters of a path that may be one of these; no model has so long a name."""


def misdirected(method: str, target: str) -> ClientFault | None:
    """What to say of a request for one of Gemini's calls that has the wrong method, another case, or an encoded
    slash in the model's name; None for all others. `target` is the path with its query, as it came.
    """
    path = target.partition("?")[0]
    if len(path) > LONGEST:  # the search takes the square of its length
        return None
    found = _MODEL.search(path)
    if found is None:
        return None
    if (meant := _METHODS.get(found[2].lower())) is None:
        return _unknown(method, path, found[2])
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
        return wrong_method(f"{path[:SHOWN]} takes POST, not {method}.", ("POST",))
    return None


def _unknown(method: str, path: str, verb: str) -> ClientFault | None:
    """There is no such method: to post to a model is nothing else, to get one might be."""
    if not _GEMINI.match(path) or not (method == "POST" or _OF_METHODS.fullmatch(verb)):
        return None
    return ClientFault(
        f"There is no method {verb[:SHOWN]!r}. There are {', '.join(OPERATIONS)}.",
        status=404,
        code="unknown_path",
        kind=Kind.NOT_FOUND,
    )
