"""Questions about what an earlier call made: `GET /v1/videos/{id}` and the like.

They exist wherever the path of the call that made it does, one segment above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_plus

from wattline.base.errors import ClientFault
from wattline.dialects.base import Route
from wattline.wire.call import Operation

MAX_ID: Final = 256
MAX_QUERY: Final = 1024

_ID = rf"[A-Za-z0-9][A-Za-z0-9_.=-]{{0,{MAX_ID - 1}}}"
_PATH = re.compile(rf"(.*/)(videos|responses|interactions)(/({_ID})(/[a-z_]+)?)")
_WHOLE_ID = re.compile(_ID)
_PAIR = re.compile(r"(?:[A-Za-z0-9_.~:,=+-]|\[|\]|%[0-9A-Fa-f]{2})+")

_VERBS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "videos": {"": frozenset({"GET", "DELETE"}), "/content": frozenset({"GET"})},
        "responses": {
            "": frozenset({"GET", "DELETE"}),
            "/cancel": frozenset({"POST"}),
            "/input_items": frozenset({"GET"}),
        },
        "interactions": {"": frozenset({"GET", "DELETE"}), "/cancel": frozenset({"POST"})},
    }
)
"""Collection, what follows the id, methods: platform.openai.com/docs/api-reference (videos, responses),
ai.google.dev/api/interactions-api, docs.x.ai (videos)."""

MADE: Final = frozenset({Operation.VIDEOS, Operation.RESPONSES, Operation.INTERACTIONS})
"""Operations that make what can be asked about."""


def verbs(collection: str) -> Mapping[str, frozenset[str]]:
    """What can be asked about one of `collection`: what follows its id in the path, and with which methods."""
    return _VERBS.get(collection, MappingProxyType({}))


def kind_of(lookup: Route) -> str:
    """What a lookup asks about, by the name of the operation that makes it: `videos`."""
    return lookup.upstream_path.split("/")[1]


def is_id(value: object) -> bool:
    """`value` is an id that may stand in a path."""
    return isinstance(value, str) and _WHOLE_ID.fullmatch(value) is not None


def follow_up(method: str, path: str, routes: Mapping[str, Route]) -> Route | None:
    """The route of a lookup; None when `path` (normalised) is none, or takes another method. `routes` are
    the calls of the host by path.
    """
    found = _PATH.fullmatch(path)
    if found is None or path in routes:
        return None
    prefix, collection, rest, subject, more = found.groups()
    maker = routes.get(prefix + collection)
    if maker is None or method not in _VERBS[collection].get(more or "", ()):
        return None
    return replace(
        maker,
        operation=Operation.LOOKUP,
        upstream_path=f"/{collection}{rest}",
        json=True,
        either=False,
        subject=subject,
    )


def query_of(target: str) -> str:
    """A target's query for the provider, with its `?`, empty when it has none. A key in it is left out:
    it was for us. Raises ClientFault.
    """
    query = target.partition("?")[2]
    pairs = [pair for pair in query.split("&") if pair and not _is_key(pair)]
    if len(query) > MAX_QUERY or not all(map(_PAIR.fullmatch, pairs)):
        raise ClientFault(
            f"The query has a character that can't be passed on, or more than {MAX_QUERY} characters.",
            code="bad_query",
        )
    return "?" + "&".join(pairs) if pairs else ""


def _is_key(pair: str) -> bool:
    """However it is written: `%6bey` is `key` too."""
    return unquote_plus(pair.partition("=")[0]).strip().lower() == "key"
