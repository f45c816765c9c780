"""One object of an Ollama answer: a line of a stream, or a whole answer. Both have the same shape.

Chat answers hold a `message`, generated ones a `response`. The usual shapes are read by a compiled
decoder; any other JSON goes through a lenient reading, which takes what is what it should be.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.stream import lenient

_NO_ARGUMENTS = msgspec.Raw(b"{}")


class Function(msgspec.Struct, gc=False):
    """What a tool call calls. `arguments` is the JSON of an object, as it came."""

    name: str
    arguments: msgspec.Raw = _NO_ARGUMENTS


class LineCall(msgspec.Struct, gc=False):
    """A tool call. Only newer servers give an id."""

    function: Function
    id: str | None = None

    @property
    def arguments(self) -> str:
        """The arguments' JSON text; some servers send it as a string."""
        raw = bytes(self.function.arguments)
        if raw.startswith(b'"'):
            value = lenient(b'{"value":' + raw + b"}") or {}
            return str(value.get("value", "")).encode("utf-8", "replace").decode()
        return "{}" if raw in (b"", b"null") else raw.decode("utf-8", "replace")


class LineMessage(msgspec.Struct, gc=False):
    """A chat's message, or a part of one. `images` are base64."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[LineCall] | None = None
    images: list[str] | None = None


class Line(msgspec.Struct, gc=False):
    """An object of an answer. Counts and error are as they came, and may be anything."""

    done: bool | None = None
    message: LineMessage | None = None
    response: str | None = None
    thinking: str | None = None
    image: str | None = None
    model: str | None = None
    created_at: str | None = None
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None

    @property
    def known(self) -> bool:
        """It is a part of an answer, or an error."""
        return bool(
            self.done is not None
            or self.message is not None
            or self.response is not None
            or self.error
        )


_LINE = msgspec.json.Decoder(Line)


def read_line(payload: bytes) -> Line | None:
    """The object in `payload`; None when it is none. Never raises."""
    try:
        return _LINE.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(payload)
    return None if value is None else _loose(value)


def _loose(value: dict[str, Any]) -> Line:
    done, message = value.get("done"), value.get("message")
    return Line(
        done=done if isinstance(done, bool) else None,
        message=_message(message) if isinstance(message, dict) else None,
        response=_text(value, "response"),
        thinking=_text(value, "thinking"),
        image=_text(value, "image"),
        model=_text(value, "model"),
        created_at=_text(value, "created_at"),
        done_reason=_text(value, "done_reason"),
        prompt_eval_count=value.get("prompt_eval_count"),
        eval_count=value.get("eval_count"),
        error=value.get("error"),
    )


def _message(value: dict[str, Any]) -> LineMessage:
    calls, images = value.get("tool_calls"), value.get("images")
    found = [_call(item) for item in calls] if isinstance(calls, list) else []
    return LineMessage(
        content=_text(value, "content"),
        thinking=_text(value, "thinking"),
        tool_calls=[call for call in found if call is not None] or None,
        images=[item for item in images if isinstance(item, str) and item.isascii()]
        if isinstance(images, list)
        else None,
    )


def _call(value: Any) -> LineCall | None:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    try:
        arguments = msgspec.Raw(dumps(function.get("arguments")))
    except RecursionError:
        return None
    return LineCall(Function(_text(function, "name") or "", arguments), _text(value, "id"))


def _text(value: dict[str, Any], key: str) -> str | None:
    """A text that can be sent on: one with lone surrogates is none."""
    found = value.get(key)
    if not isinstance(found, str):
        return None
    return found.encode("utf-8", "replace").decode()
