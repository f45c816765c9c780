"""Gemini's paths: the model and the method stand in them.

`/v1beta/models/{model}:{method}`; a tuned model is named `tunedModels/{model}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, unquote

from wattline.wire.call import Operation

GENERATE = "generateContent"
STREAM = "streamGenerateContent"
EMBED = "embedContent"
EMBED_BATCH = "batchEmbedContents"
COUNT = "countTokens"

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        GENERATE: Operation.CHAT,
        STREAM: Operation.CHAT,
        EMBED: Operation.EMBEDDINGS,
        EMBED_BATCH: Operation.EMBEDDINGS,
        COUNT: Operation.COUNT_TOKENS,
    }
)
"""The methods that are calls, and what each asks for."""

VERSIONS = ("v1", "v1beta", "v1alpha")

_MODELS = "models/"
_COLLECTIONS = (_MODELS, "tunedModels/", "dynamic/")
_NAMED = r"((?:models|tunedModels|dynamic)/.+)(?::|%3[Aa])([A-Za-z]+)"
_PATH = re.compile(r"/([^/]+)/" + _NAMED)
_ANYWHERE = re.compile(r"/" + _NAMED + r"\Z")


def match(path: str, versions: tuple[str, ...] = VERSIONS) -> tuple[str, str] | None:
    """The model and the method of a normalised path without its query; None when it is no call.

    The model is percent-decoded and may hold slashes, but is not checked any further: bytes that are
    no UTF-8 become lone surrogates, which no name may have.
    """
    found = _PATH.fullmatch(path)
    if found is None or found[1] not in versions:
        return None
    return addressed(path)


def addressed(path: str) -> tuple[str, str] | None:
    """The same for a path that leads to a route already, whatever stands before the model's name."""
    found = _ANYWHERE.search(path)
    if found is None or found[2] not in OPERATIONS:
        return None
    return unquote(found[1], errors="surrogateescape").removeprefix(_MODELS), found[2]


def method_of(path: str) -> str:
    """The method at a call's path; `generateContent` when the path has none (another dialect's)."""
    found = addressed(path)
    return GENERATE if found is None else found[1]


def alt(target: str) -> str | None:
    """How the client wants its answer: the last `alt` (or `$alt`) of a target's query."""
    query = target.partition("?")[2]
    if not query:
        return None
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return next((value for key, value in reversed(pairs) if key in ("alt", "$alt")), None)


def resource(model: str) -> str:
    """A model's full name: `models/gemini-2.5-flash`, `tunedModels/mine`."""
    return model if model.startswith(_COLLECTIONS) else _MODELS + model


def path(model: str, method: str, *, stream: bool = False) -> str:
    """The path below a base URL that ends in the version; a stream is one of server-sent events."""
    name = quote(resource(model), safe="/", errors="replace")
    return f"/{name}:{method}{'?alt=sse' if stream else ''}"
