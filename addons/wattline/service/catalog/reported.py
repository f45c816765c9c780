"""A provider's own list of models, read leniently: what is wrong in it is left out. Sans-io.

Shapes: OpenAI's `{"data": [{"id": …}]}`, which OpenRouter, Groq and Mistral extend; Anthropic's
https://platform.claude.com/docs/en/api/models-list; Gemini's https://ai.google.dev/api/models; Ollama's
https://docs.ollama.com/api/tags.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec

MAX_MODELS = 5_000
MAX_ID = 200
MAX_TEXT = 2_000
MAX_COUNT = 10**9
MAX_WORDS = 64

PATHS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "/models",
        "anthropic": "/models?limit=1000",
        "gemini": "/models?pageSize=1000",
        "ollama": "/api/tags",
    }
)
"""Where a provider's list is, below its base URL, by dialect. Other dialects have none."""


class BadList(ValueError):
    """The body is no list of models."""


@dataclass(frozen=True, slots=True)
class Reported:
    """One model as its provider describes it; None and empty where it does not. `created` is Unix
    seconds, prices are US dollars for one token.
    """

    id: str
    name: str | None = None
    description: str | None = None
    created: int | None = None
    owner: str | None = None
    context: int | None = None
    max_output: int | None = None
    prompt_price: str | None = None
    completion_price: str | None = None
    parameters: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    moderated: bool | None = None


def read_list(body: bytes) -> tuple[Reported, ...]:
    """The models of any of these shapes, each id once, in order. Raises BadList."""
    items = value = _decoded(body)
    if isinstance(value, dict):
        items = value.get("data", value.get("models"))
    if not isinstance(items, list):
        raise BadList("the list of models has no `data` and no `models`")
    found: dict[str, Reported] = {}
    for item in items[:MAX_MODELS]:
        model = _model(item)
        if model is not None:
            found.setdefault(model.id, model)
    return tuple(found.values())


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # one number out of range must not cost the whole list
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadList("the list of models is no JSON") from None


def _model(item: Any) -> Reported | None:
    if not isinstance(item, dict):
        return None
    name = _first(_id, item, "id", "name", "model")
    if name is None or item.get("active") is False:
        return None
    top, pricing = _object(item.get("top_provider")), _object(item.get("pricing"))
    return Reported(
        id=name,
        name=_first(_text, item, "display_name", "displayName") or _own_name(item),
        description=_text(item.get("description")),
        created=_first(_moment, item, "created", "created_at", "modified_at"),
        owner=_text(item.get("owned_by")),
        context=_first(
            _count,
            item,
            "context_length",
            "context_window",
            "max_context_length",
            "inputTokenLimit",
            "max_input_tokens",
        )
        or _count(top.get("context_length")),
        max_output=_count(top.get("max_completion_tokens"))
        or _first(_count, item, "max_completion_tokens", "outputTokenLimit", "max_tokens"),
        prompt_price=price(pricing.get("prompt")),
        completion_price=price(pricing.get("completion")),
        parameters=_words(item.get("supported_parameters")),
        capabilities=_capabilities(item),
        moderated=_flag(top.get("is_moderated")),
    )


def _id(value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_ID:
        return None
    return value.strip().removeprefix("models/") or None


def _own_name(item: Mapping[str, Any]) -> str | None:
    return _text(item.get("name")) if "id" in item else None


def _capabilities(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_capable(item)))


def _capable(item: Mapping[str, Any]) -> Iterator[str]:
    modalities = _words(_object(item.get("architecture")).get("input_modalities"))
    told = _object(item.get("capabilities"))
    parameters = _words(item.get("supported_parameters"))
    if "image" in modalities or told.get("vision") is True or told.get("image_input") is True:
        yield "vision"
    if "audio" in modalities:
        yield "audio"
    if told.get("function_calling") is True or "tools" in parameters:
        yield "function-calling"
    if "reasoning" in parameters or item.get("thinking") is True:
        yield "reasoning"
    if "embedContent" in _words(item.get("supportedGenerationMethods")):
        yield "embeddings"


def price(value: Any) -> str | None:
    """US dollars for a token as plain decimal text; None for what is no price. OpenRouter's -1 means that
    it depends.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < 1000 or (amount and amount < Decimal("1e-15")):
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _first(read: Any, item: Mapping[str, Any], *names: str) -> Any:
    return next((found for name in names if (found := read(item.get(name))) is not None), None)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    return "".join(c if c.isprintable() else " " for c in value[:MAX_TEXT]).strip() or None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= MAX_COUNT else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _words(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    words = (item for item in items[:MAX_WORDS] if isinstance(item, str) and item.isprintable())
    return tuple(word for word in words if 0 < len(word) <= MAX_WORDS)


def _moment(value: Any) -> int | None:
    """Unix seconds of a number or of ISO 8601 text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value[:40]).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 < value < 1e11 else None
