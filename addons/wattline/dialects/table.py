"""Which paths are calls: one exact table, on one normal form of a path.

A path that could be read in two ways is not matched loosely but refused: `normalise` gives None for
it. What it gives is what is matched, logged and used; nothing looks at the path again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType

from wattline.dialects.base import Route
from wattline.dialects.follow_up import follow_up
from wattline.dialects.further import FURTHER
from wattline.dialects.gemini import paths as gemini
from wattline.wire.call import Operation

MAX_PATH = 2048

_OPENAI = (
    Route("openai", Operation.CHAT, "/chat/completions"),
    Route("openai", Operation.COMPLETION, "/completions"),
    Route("openai", Operation.EMBEDDINGS, "/embeddings"),
    Route("openai", Operation.RESPONSES, "/responses"),
    Route("openai", Operation.MODERATIONS, "/moderations"),
    Route("openai", Operation.RERANK, "/rerank"),
    Route("openai", Operation.TRANSCRIPTION, "/audio/transcriptions", json=False),
    Route("openai", Operation.TRANSCRIPTION, "/audio/translations", json=False),
    Route("openai", Operation.SPEECH, "/audio/speech"),
    Route("openai", Operation.IMAGES, "/images/generations"),
    Route("openai", Operation.IMAGES, "/images/edits", json=False, either=True),
    Route("openai", Operation.IMAGES, "/images/variations", json=False),
    Route("openai", Operation.VIDEOS, "/videos", json=False, either=True),
    Route("openai", Operation.VIDEOS, "/videos/generations"),
)
_CHAT_ONLY = _OPENAI[:1]
_ANTHROPIC = (
    Route("anthropic", Operation.CHAT, "/messages"),
    Route("anthropic", Operation.COUNT_TOKENS, "/messages/count_tokens"),
)
_OLLAMA = (
    Route("ollama", Operation.CHAT, "/api/chat"),
    Route("ollama", Operation.COMPLETION, "/api/generate"),
    Route("ollama", Operation.EMBEDDINGS, "/api/embed"),
    Route("ollama", Operation.EMBEDDINGS, "/api/embeddings"),
)
_SERVICES: Mapping[str, Route] = MappingProxyType(
    {
        "/api/v1/inference": Route("inference", Operation.CHAT, "/chat/completions"),
        "/api/v1/inference/stream": Route("inference", Operation.CHAT, "/chat/completions"),
        "/api/v1/chat": Route("gateway", Operation.CHAT, "/chat/completions"),
        "/api/v1/embeddings": Route("gateway", Operation.EMBEDDINGS, "/embeddings"),
        "/api/v1/rerank": Route("gateway", Operation.RERANK, "/rerank"),
    }
)
"""An inference service (D-041, D-042) and a gateway (E-043..E-046)."""
_INTERACTIONS = (Route("gemini", Operation.INTERACTIONS, "/interactions"),)
_GEMINI: Mapping[str, Route] = MappingProxyType(
    {method: Route("gemini", operation, "") for method, operation in gemini.OPERATIONS.items()}
)

_GEMINI_PREFIXES = tuple(f"/{version}" for version in gemini.VERSIONS)

type Paths = Mapping[str, Route]


def _under(prefixes: Iterable[str], routes: Iterable[Route] = _OPENAI) -> dict[str, Route]:
    routes = tuple(routes)
    return {prefix + route.upstream_path: route for prefix in prefixes for route in routes}


def _of_family(family: str, prefixes: Iterable[str]) -> dict[str, Route]:
    return _under(prefixes, [replace(route, family=family) for route in _OPENAI])


# Groq's SDK puts /openai/v1 before its paths; DeepSeek's and Perplexity's base URLs have no /v1. Of those that read
# ANTHROPIC_BASE_URL, Anthropic's SDK puts /v1 before its paths, Vercel's takes it for a part of the URL. /v3 to /v6
# are for clients of one API each, with and without what its SDK puts before a path (B-035..B-038).
_OWN: Paths = MappingProxyType(
    _under(("/v1", "/openai/v1"))
    | _under(("",), _CHAT_ONLY)
    | _under(("", "/v1", "/v3", "/v3/v1"), _ANTHROPIC)
    | _of_family("groq", ("/v4", "/v4/openai/v1"))
    | _under(("", "/v5"), _OLLAMA)
    | _of_family("openrouter", ("/v6", "/v6/v1", "/v6/api/v1"))
    | dict(_SERVICES)
    | _under(_GEMINI_PREFIXES, _INTERACTIONS)
    | _under(("/v2", *(f"/v2{prefix}" for prefix in _GEMINI_PREFIXES)), _INTERACTIONS)
    | {path: route for entry in FURTHER for path, route in entry.paths.items()}
)
_OWN_GEMINI = re.compile(r"(?:/v2)?(/(?:v1|v1beta|v1alpha)/.+)|/v2(/(?:models|tunedModels)/.+)")
"""Gemini's paths, and those below /v2 (B-034)."""

_HOSTS: Mapping[str, Paths] = MappingProxyType(
    {
        "api.openai.com": _under(("/v1",)),
        "api.anthropic.com": _under(("/v1",), _ANTHROPIC) | _under(("/v1",), _CHAT_ONLY),
        "generativelanguage.googleapis.com": _under(("/v1beta/openai",))
        | _under(_GEMINI_PREFIXES, _INTERACTIONS),
        "api.groq.com": _under(("/openai/v1",)),
        "openrouter.ai": _under(("/api/v1",)),
        "api.deepseek.com": _under(("/v1", "")) | _under(("/anthropic/v1",), _ANTHROPIC),
        "api.x.ai": _under(("/v1",)) | _under(("/v1",), _ANTHROPIC),
        "api.mistral.ai": _under(("/v1",)),
        "api.perplexity.ai": _under(("",)),
        "api.cerebras.ai": _under(("/v1",)),
        "integrate.api.nvidia.com": _under(("/v1",)),
        "ollama.com": _under(("",), _OLLAMA) | _under(("/v1",)),
    }
)
_OTHER_HOST: Paths = MappingProxyType(
    _under(("/v1", "")) | _under(("/v1",), _ANTHROPIC) | _under(("",), _OLLAMA)
)
_GEMINI_HOSTS = frozenset({"generativelanguage.googleapis.com"})

_KNOWN = frozenset(_OWN) | frozenset(_OTHER_HOST).union(*_HOSTS.values())

_PLAIN = re.compile(r"/[!-~]*")
_SUSPECT = re.compile(r"//|[\\;#]|/\.{1,2}(?=/|$)|%(?![89A-Fa-f][0-9A-Fa-f]|20|3[Aa])")


def normalise(path: str) -> str | None:
    """The path without its query, or None when it could be read in two ways.

    None for `//`, `.` and `..` segments, `;` parameters, backslashes, fragments, anything but visible
    ASCII, percent-encoded ASCII (but for a space and a colon), and any variant of a route of ours in
    case, trailing slash or trailing dots.
    """
    path = path.partition("?")[0]
    if len(path) > MAX_PATH or not _PLAIN.fullmatch(path) or _SUSPECT.search(path):
        return None
    if path in _KNOWN:
        return path
    folded = "/".join(segment.rstrip(".") for segment in path.lower().split("/")).rstrip("/")
    return None if folded in _KNOWN else path


def find(method: str, host: str, path: str, forward: bool) -> Route | None:  # noqa: FBT001  (a fact)
    """The route of a call, or None when it is none. `path` is normalised; `host` counts only when
    `forward` is set: the client then addressed a provider's host, not the sidecar.
    """
    host = host.lower().rstrip(".")
    paths = _HOSTS.get(host, _OTHER_HOST) if forward else _OWN
    if method != "POST":
        return follow_up(method, path, paths)
    return paths.get(path) or _with_model(host, path, forward) or follow_up(method, path, paths)


def _with_model(host: str, path: str, forward: bool) -> Route | None:  # noqa: FBT001  (a fact)
    """A route whose path names the model."""
    if not forward:
        return _own_gemini(path)
    return _gemini(path) if host in _GEMINI_HOSTS or host not in _HOSTS else None


def _own_gemini(path: str) -> Route | None:
    found = _OWN_GEMINI.fullmatch(path)
    return _gemini(found[1] or f"/v1{found[2]}") if found is not None else None


def _gemini(path: str) -> Route | None:
    found = gemini.match(path)
    return _GEMINI[found[1]] if found is not None else None


def own_paths() -> Mapping[str, Route]:
    """Every call on our own address whose path names no model, by its path, aliases too."""
    return _OWN


def own_routes() -> list[tuple[str, Route]]:
    """The calls on our own address by their main paths, for documents."""
    main = [(path, route) for path, route in _OWN.items() if path.startswith(("/v1/", "/api/"))]
    methods = [(f"/v1beta/models/{{model}}:{method}", route) for method, route in _GEMINI.items()]
    return [*main, *methods]


def known(path: str) -> str | None:
    """The route on our own address nearest to `path`: `path` itself when it is one (then the method
    was wrong), None when none is near.
    """
    if path in _OWN:
        return path
    near = get_close_matches(path[:100], _OWN, n=1, cutoff=0.75)
    return near[0] if near else None
