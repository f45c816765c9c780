"""The pages that Ollama's clients ask for before they chat: models, their abilities, the version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.moment import written

VERSION = "0.12.6"
"""The version of Ollama whose API is spoken. Editors refuse older ones than they were made for."""

ARCHITECTURE = "remote"
"""Clients look the context's length up under the architecture's name."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as clients may ask for it. `modified` is Unix seconds, `context` tokens; `capabilities` are
    Ollama's words: `completion`, `tools`, `vision`, `thinking`, `embedding`, `insert`.
    """

    name: str
    modified: int | None = None
    context: int | None = None
    capabilities: tuple[str, ...] = ("completion",)


def tags(models: Iterable[ListedModel]) -> bytes:
    """`GET /api/tags`."""
    return dumps({"models": [_listed(model) for model in models]})


def show(model: ListedModel) -> bytes:
    """`POST /api/show`."""
    info: dict[str, Any] = {"general.architecture": ARCHITECTURE, "general.basename": model.name}
    if model.context is not None:
        info[f"{ARCHITECTURE}.context_length"] = model.context
    page: dict[str, Any] = {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(),
        "model_info": info,
        "capabilities": list(model.capabilities),
    }
    return dumps(page | _modified(model))


def ps() -> bytes:
    """`GET /api/ps`: no model is loaded here."""
    return dumps({"models": []})


def version() -> bytes:
    """`GET /api/version`."""
    return dumps({"version": VERSION})


def loaded(model: str, *, chat: bool, unload: bool = False) -> bytes:
    """The answer to a request that only loads a model, for providers that load none."""
    content = {"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}
    reason = "unload" if unload else "load"
    return dumps({"model": model, **content, "done": True, "done_reason": reason})


def _listed(model: ListedModel) -> dict[str, Any]:
    # Ollama's command line shows the first 12 characters of the digest and fails without them.
    digest = sha256(model.name.encode("utf-8", "replace")).hexdigest()
    head: dict[str, Any] = {"name": model.name, "model": model.name}
    return head | _modified(model) | {"size": 0, "digest": digest, "details": _details()}


def _modified(model: ListedModel) -> dict[str, str]:
    text = written(model.modified)
    return {} if text is None else {"modified_at": text}


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "",
        "family": ARCHITECTURE,
        "families": [ARCHITECTURE],
        "parameter_size": "",
        "quantization_level": "",
    }
