"""A bridge's answer, in any of the shapes that bridges give (C-070, C-071)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.ollama.line import Line
from wattline.dialects.ollama.usage import read_counts
from wattline.dialects.openai.stream import lenient
from wattline.dialects.openai.usage import ABSENT, read_usage
from wattline.dialects.words import error_word
from wattline.wire.parts import Text
from wattline.wire.reply import Alternative, Reply, Stop
from wattline.wire.usage import Usage

_STOPS: Mapping[str, Stop] = MappingProxyType(
    {
        "stop": Stop.END,
        "end_turn": Stop.END,
        "stop_sequence": Stop.SEQUENCE,
        "length": Stop.LENGTH,
        "max_tokens": Stop.LENGTH,
        "content_filter": Stop.FILTERED,
    }
)


def read_reply(body: bytes) -> Reply:
    """A whole 2xx answer; its text is empty when it is nowhere. Raises BadReply, ReplyError."""
    value = lenient(body)
    if value is None:
        raise BadReply
    if value.get("error"):
        raise ReplyError(error_word(value["error"]))
    found = _content(value)
    model = value.get("model")
    return Reply(
        (Alternative((Text(found),) if found else (), _stop(value)),),
        model=_sendable(model) if isinstance(model, str) and model else None,
        usage=_usage(value),
    )


def _content(value: Mapping[str, Any]) -> str:
    message = _object(_choice(value).get("message"))
    places = (
        message.get("content"),
        value.get("content"),
        value.get("response"),
        _object(value.get("message")).get("content"),
    )
    return _sendable(next((text for text in places if isinstance(text, str)), ""))


def _stop(value: Mapping[str, Any]) -> Stop | None:
    places = (
        _choice(value).get("finish_reason"),
        value.get("stop_reason"),
        value.get("done_reason"),
    )
    reason = next((word for word in places if isinstance(word, str)), None)
    return None if reason is None else _STOPS.get(reason, Stop.OTHER)


def _usage(value: Mapping[str, Any]) -> Usage | None:
    count = read_usage(value.get("usage"))
    if count == ABSENT:
        line = Line(
            prompt_eval_count=value.get("prompt_eval_count"), eval_count=value.get("eval_count")
        )
        count = read_counts(line)
    return count.usage


def _choice(value: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = value.get("choices")
    return _object(choices[0]) if isinstance(choices, list) and choices else {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sendable(text: str) -> str:
    """Lone surrogates can't be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()
