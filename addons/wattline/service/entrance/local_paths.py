"""Which paths on our own address are pages of the web face. Asked after the table of calls.

A page's route is chosen here by its beginning only; the web face has the whole table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from wattline.dialects.table import normalise

BODY_LIMIT = 1024 * 1024
_DEPTH = 4
"""Segments of the longest beginning in the table."""
_READ = frozenset({"GET", "HEAD"})
_ANY = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class LocalRoute:
    """`style` is the shape of its errors (`service.entrance.styles`); `switches` are families of routes of which
    an operator can switch each off; `body_limit` is in bytes.
    """

    style: str
    methods: frozenset[str] = _READ
    switches: tuple[str, ...] = ()
    body_limit: int = BODY_LIMIT
    auth: bool = False
    """Who asks registers or logs in there."""


_OPENAI = LocalRoute("openai", switches=("models", "openai"))
_GROQ = replace(_OPENAI, switches=("models", "groq"))
_OPENROUTER = replace(_OPENAI, switches=("models", "openrouter"))
_ANTHROPIC = LocalRoute("anthropic", switches=("models", "anthropic"))
_GEMINI = LocalRoute("gemini", switches=("models", "gemini"))
_OLLAMA = LocalRoute("ollama", switches=("models", "ollama"))
_SHOW = replace(_OLLAMA, methods=frozenset({"POST"}))
_SERVICE = LocalRoute("inference", switches=("models",))
_INFERENCE = LocalRoute("inference", methods=_ANY)
_GATEWAY = LocalRoute("gateway", methods=_ANY)
_SMALL = replace(_GATEWAY, body_limit=16 * 1024)
_LOGIN = replace(_SMALL, auth=True)
_SOCKET = LocalRoute("inference")
_ADMIN = LocalRoute("openai", methods=_ANY, switches=("admin",), body_limit=64 * 1024)
_METRICS = LocalRoute("openai", switches=("metrics",))
_DOCUMENT = LocalRoute("openai")
# Without HEAD: a GET may make a user, and shows its key once.
_TOKEN = LocalRoute("assistant", frozenset({"GET", "PUT", "POST"}))
_ASSISTANT: Mapping[str, LocalRoute] = MappingProxyType(
    {
        "/token": _TOKEN,
        "/token/has": LocalRoute("assistant"),
        "/dialog": LocalRoute("assistant", frozenset({"GET", "DELETE"})),
        "/completions": LocalRoute("assistant", frozenset({"POST"}), body_limit=4 * BODY_LIMIT),
        "/system-message": LocalRoute("assistant", frozenset({"GET", "PUT", "POST", "DELETE"})),
        "/referral": LocalRoute("assistant", frozenset({"GET", "POST"})),
    }
)
"""Of an assistant's gateway (A-021 to A-030, A-036, A-037, A-063)."""

# /v2 to /v6 are for clients of one API each (B-034..B-038), as in the table of calls.
_MODELS: Mapping[str, LocalRoute] = MappingProxyType(
    dict.fromkeys(("/v1/models", "/openai/v1/models"), _OPENAI)
    | dict.fromkeys(("/v4/models", "/v4/openai/v1/models"), _GROQ)
    | dict.fromkeys(("/v6/models", "/v6/v1/models", "/v6/api/v1/models"), _OPENROUTER)
    | dict.fromkeys(("/v3/models", "/v3/v1/models"), _ANTHROPIC)
    | dict.fromkeys(("/v1beta/models", "/v1alpha/models", "/v2/models"), _GEMINI)
    | dict.fromkeys(("/v2/v1/models", "/v2/v1beta/models", "/v2/v1alpha/models"), _GEMINI)
    | {"/api/v1/models": _SERVICE}
)
_EXACT: Mapping[str, LocalRoute] = MappingProxyType(
    dict(_MODELS)
    | dict.fromkeys(("/v1/chat/completions/models", "/v1/chat/completion/models"), _OPENAI)
    | {
        prefix + path: _SHOW if path == "/api/show" else _OLLAMA
        for prefix in ("", "/v5")
        for path in ("/api/tags", "/api/version", "/api/ps", "/api/show")
    }
    | dict.fromkeys(("/v1/audio/models", "/v1/audio/voices"), _OPENAI)
    | {"/ws": _SOCKET, "/metrics": _METRICS}
    | dict.fromkeys(("/openapi.json", "/api/openapi.json"), _DOCUMENT)
    | dict(_ASSISTANT)
    | {
        "/api/v1/keys": _SMALL,
        "/v1/keys/me": LocalRoute("openai", switches=("openai",)),
        "/v1/generate_key": replace(_ADMIN, methods=frozenset({"POST"})),
    }
)
_BELOW: Mapping[str, LocalRoute] = MappingProxyType(
    {**_MODELS, "/api/v1": _GATEWAY, "/api/v1/auth": _LOGIN, "/api/v1/keys": _SMALL}
    | {"/api/v1/inference": _INFERENCE}
    | {"/api/admin": _ADMIN, "/admin": _ADMIN}
)

_NAMED = re.compile(r"%(?:2[Ff]|40)")
"""What SDKs encode in a model's name: a slash and an at sign."""


def local_path(target: str) -> tuple[str, LocalRoute] | None:
    """The normal form of a target's path and its route; None when it is no page, or could be read in two
    ways.
    """
    path = target.partition("?")[0]
    route = _EXACT.get(path)
    if route is not None:
        return path, route
    if "%" in path:
        path = _NAMED.sub(lambda found: "/" if found[0] != "%40" else "@", path)
    normal = normalise(path)
    route = _of(normal) if normal is not None else None
    return None if normal is None or route is None else (normal, route)


def _of(path: str) -> LocalRoute | None:
    if (exact := _EXACT.get(path)) is not None:
        return exact
    found: LocalRoute | None = None
    end = 0
    for _ in range(_DEPTH + 1):
        end = path.find("/", end + 1)
        if end < 0:
            break
        found = _BELOW.get(path[:end], found)
    return found
