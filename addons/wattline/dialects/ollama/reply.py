"""Whole answers of chat and generate, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.json_text import dumps
from wattline.dialects.ollama.calls import made_id, parsed
from wattline.dialects.ollama.line import Line, LineCall, read_line
from wattline.dialects.ollama.moment import read, written
from wattline.dialects.ollama.settings import media_type
from wattline.dialects.ollama.usage import counts, read_counts
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text, ToolCall
from wattline.wire.reply import Alternative, Reply, Stop

_STOPS: Mapping[str, Stop] = MappingProxyType(
    {
        "stop": Stop.END,
        "load": Stop.END,
        "unload": Stop.END,
        "length": Stop.LENGTH,
        "tool_calls": Stop.TOOL_CALLS,
        "content_filter": Stop.FILTERED,
        "other": Stop.OTHER,
    }
)

_REASONS: Mapping[Stop, str] = MappingProxyType(
    {
        Stop.LENGTH: "length",
        Stop.FILTERED: "content_filter",
        Stop.PAUSED: "other",
        Stop.OTHER: "other",
    }
)
"""Ollama says `stop` after tool calls and stop sequences, too. It has no words for the last three."""


def read_stop(reason: str | None, *, calls: bool) -> Stop:
    """Why the model stopped, by `done_reason`."""
    stop = Stop.END if not reason else _STOPS.get(reason, Stop.OTHER)
    return Stop.TOOL_CALLS if calls and stop is Stop.END else stop


def write_stop(stop: Stop | None) -> str:
    """The `done_reason`."""
    return "stop" if stop is None else _REASONS.get(stop, "stop")


def call_id(line: Line, call: LineCall, index: int) -> str:
    """The id of a tool call. Without one of the server's the time of the answer makes it unique."""
    name = call.function.name
    return call.id or made_id(line.created_at, line.model, name, call.arguments, index)


def read_reply(body: bytes) -> Reply:
    """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
    line = read_line(body)
    if line is None or not line.known:
        raise BadReply
    if line.error:
        raise ReplyError(error_word(line.error))
    parts = tuple(_parts(line))
    calls = any(isinstance(part, ToolCall) for part in parts)
    stop = read_stop(line.done_reason, calls=calls) if line.done_reason or line.done else None
    return Reply(
        (Alternative(parts, stop),),
        model=line.model,
        created=read(line.created_at),
        usage=read_counts(line).usage,
    )


def _parts(line: Line) -> Iterator[Part]:
    message = line.message
    thought = (message.thinking if message else None) or line.thinking
    if thought:
        yield Reasoning(thought)
    content = (message.content if message else None) or line.response
    if content:
        yield Text(content)
    for data in pictures(line):
        yield Image(media_type(data) or "image/png", data=data)
    for index, call in enumerate((message.tool_calls if message else None) or ()):
        yield ToolCall(call_id(line, call, index), call.function.name, call.arguments)


def pictures(line: Line) -> list[str]:
    """The pictures in an object, in base64."""
    found = list((line.message.images if line.message else None) or ())
    return [*found, line.image] if line.image else found


def written_call(call: str, name: str, arguments: str) -> dict[str, Any]:
    """A tool call as Ollama's clients take it. Their arguments are an object: a text that is none
    stands in one as `arguments`.
    """
    value = parsed(arguments)
    function = {"name": name, "arguments": {"arguments": arguments} if value is None else value}
    return {"id": call, "function": function}


def head(model: str, created: int | None) -> dict[str, Any]:
    """The members that each object begins with. There is no clock here: a time only if it is known."""
    moment = written(created)
    return {"model": model} | ({} if moment is None else {"created_at": moment})


def write_reply(reply: Reply, call: Call, *, chat: bool) -> bytes:
    """The client's whole answer: Ollama has one alternative."""
    first = reply.alternatives[0] if reply.alternatives else Alternative(())
    words = _message(first.parts) if chat else _response(first.parts)
    body = head(reply.model or call.model, reply.created) | words
    body |= {"done": True, "done_reason": write_stop(first.stop)} | counts(reply.usage)
    return dumps(body)


def _message(parts: Iterable[Part]) -> dict[str, Any]:
    parts = tuple(parts)
    message: dict[str, Any] = {"role": "assistant", "content": _text(parts)}
    if thought := _thought(parts):
        message["thinking"] = thought
    images = [part.data for part in parts if isinstance(part, Image) and part.data]
    if images:
        message["images"] = images
    calls = [
        written_call(part.id, part.name, part.arguments)
        for part in parts
        if isinstance(part, ToolCall)
    ]
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def _response(parts: Iterable[Part]) -> dict[str, Any]:
    parts = tuple(parts)
    thought = _thought(parts)
    images = [part.data for part in parts if isinstance(part, Image) and part.data]
    found = {"response": _text(parts)} | ({"thinking": thought} if thought else {})
    return found | ({"image": images[0]} if images else {})


def _text(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text | Refusal))


def _thought(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Reasoning))
