"""`POST /v1/chat/completions`, plain and streamed.

Shapes: https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattline.demo.asked import Asked, sentence
from wattline.demo.check import Fields, Refused
from wattline.demo.output import (
    Output,
    Tool,
    ToolCall,
    call,
    choose,
    compact,
    read_stops,
    read_tool,
    say,
)
from wattline.demo.reply import Event, Kind, Reply, error_body
from wattline.demo.schema import example
from wattline.demo.tokens import count

FINGERPRINT = "wattline-demo"
MOST_CHOICES = 128
MOST_TOKENS = 1_000_000
IMAGE_TOKENS = 85
ROLES = ("system", "assistant", "user", "function", "tool", "developer")


def chat(asked: Asked) -> Reply:
    """Answer a chat completion. Raises Refused."""
    fields = asked.fields
    model = fields.text("model", required=True) or ""
    messages = fields.objects("messages", required=True)
    texts = [_text_of(message) for message in messages]
    tools = _tools(fields)
    fields.number("temperature", 0, 2)
    fields.number("top_p", 0, 1)
    choices = fields.integer("n", 1, MOST_CHOICES) or 1
    prompt = max(1, sum(count(text) for text in texts) + _extra_tokens(fields, messages))
    output = _output(asked, tools, messages, prompt)
    reply = Reply(prompt_tokens=prompt, completion_tokens=output.tokens * choices)
    frame = Frame(asked.id("chatcmpl-"), "chat.completion", asked.created, model)
    usage = usage_of(prompt, reply.completion_tokens)
    if asks_stream(fields):
        told = asks_usage(fields)
        _stream(reply, frame, output, choices, usage if told else None)
    else:
        every = [_choice(index, output) for index in range(choices)]
        reply.body = frame.whole(every) | {"usage": usage}
    return reply


@dataclass(frozen=True, slots=True)
class Frame:
    """What all objects of one answer have in common; `kind` is `object` of the plain answer."""

    id: str
    kind: str
    created: int
    model: str

    def whole(self, choices: Sequence[Any]) -> dict[str, Any]:
        """The plain answer's object."""
        return self._object(self.kind, choices)

    def chunk(self, choices: Sequence[Any]) -> dict[str, Any]:
        """One event's object."""
        chunk = "chat.completion.chunk" if self.kind == "chat.completion" else self.kind
        return self._object(chunk, choices)

    def _object(self, kind: str, choices: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "system_fingerprint": FINGERPRINT,
        }


def usage_of(prompt: int, completion: int) -> dict[str, Any]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def asks_stream(fields: Fields) -> bool:
    """Whether to stream; `stream_options` without `stream` is refused."""
    stream = fields.flag("stream")
    if fields.object("stream_options") and not stream:
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    return stream


def asks_usage(fields: Fields) -> bool:
    """Whether the stream shall end with a usage event."""
    options = fields.object("stream_options")
    return options is not None and options.flag("include_usage")


def stream_error(code: str, message: str) -> Event:
    """An error inside a stream of chunks."""
    return Event(error_body(message, kind=code, code=code), Kind.END)


def with_usage(
    events: Iterator[Event], frame: Frame, usage: Mapping[str, Any] | None
) -> Iterator[Event]:
    """The chunks, the usage event if it is wanted (then each chunk says `"usage": null`), `[DONE]`.

    See `include_usage` in https://platform.openai.com/docs/api-reference/chat/create.
    """
    if usage is None:
        yield from events
    else:
        for event in events:
            data = {**event.data, "usage": None} if isinstance(event.data, dict) else event.data
            yield Event(data, event.kind, tokens=event.tokens)
        yield Event(frame.chunk([]) | {"usage": usage}, Kind.USAGE)
    yield Event("[DONE]", Kind.END)


def _output(
    asked: Asked,
    tools: Sequence[Tool],
    messages: Sequence[Fields],
    prompt: int,
) -> Output:
    fields = asked.fields
    stops = read_stops(fields)
    limit = fields.integer("max_completion_tokens", 1, MOST_TOKENS)
    limit = limit or fields.integer("max_tokens", 1, MOST_TOKENS)
    answered = _answered(messages)
    role = answered.get("role")
    chosen = choose(fields, tools, _wish(answered) if role == "user" else "")
    structured = _structured(fields, len(messages), prompt)
    if asked.words is not None:
        return say(asked.words, stops=stops, limit=limit)
    if chosen and role != "tool":
        return call(chosen, asked.number)
    text = structured or sentence(len(messages), "message", prompt)
    return say(text, stops=stops, limit=limit)


def _answered(messages: Sequence[Fields]) -> Fields:
    """The message that is answered: agents put system messages behind it."""
    said = (one for one in reversed(messages) if one.get("role") not in ("system", "developer"))
    return next(said, messages[-1])


def _wish(message: Fields) -> str:
    """What a user wants: agents put reminders before it, as parts of the same message."""
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = [text for part in message.objects("content") if (text := _part_text(part))]
    return texts[-1] if texts else ""


def _structured(fields: Fields, messages: int, prompt: int) -> str | None:
    form = fields.object("response_format")
    if form is None:
        return None
    kind = form.one_of("type", ("text", "json_object", "json_schema"), required=True)
    if kind == "json_object":
        return json_answer(messages, prompt)
    if kind == "json_schema":
        form.need("json_schema")
        wrapper = form.object("json_schema")
        assert wrapper is not None  # noqa: S101 - `need` has just seen it
        wrapper.text("name", required=True)
        wrapper.object("schema")
        return compact(example(wrapper.get("schema") or {"type": "object"}))
    return None


def json_answer(count: int, prompt: int) -> str:
    """What `json_object` gets: the sentence as JSON."""
    said = {"provider": "wattline demo", "model_called": False, "items": count, "tokens": prompt}
    return compact(said)


def _tools(fields: Fields) -> list[Tool]:
    tools = []
    for tool in fields.objects("tools"):
        if tool.one_of("type", ("function", "custom"), required=True) == "function":
            tool.need("function")
            function = tool.object("function")
            assert function is not None  # noqa: S101 - `need` has just seen it
            tools.append(read_tool(function))
    return tools


def _text_of(message: Fields) -> str:
    """A message's text; the parts of other kinds count elsewhere."""
    role = message.one_of("role", ROLES, required=True)
    content = message.get("content")
    if content is None:
        if role not in ("assistant", "function"):
            message.need("content")
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise message.wrong_type("content", "a string or an array of objects")
    parts = message.objects("content")
    return "".join(_part_text(part) for part in parts)


def _part_text(part: Fields) -> str:
    kind = part.text("type", required=True)
    return (part.text("text", required=True) or "") if kind == "text" else ""


def _extra_tokens(fields: Fields, messages: Sequence[Fields]) -> int:
    """Tools by their JSON, and a flat price for each image."""
    images = 0
    for message in messages:
        parts = message.get("content")
        if isinstance(parts, list):
            images += sum(1 for part in parts if part.get("type") == "image_url")
    tools = fields.get("tools")
    return images * IMAGE_TOKENS + (count(compact(tools)) if tools else 0)


def _choice(index: int, output: Output) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if output.calls else output.text,
        "refusal": None,
        "annotations": [],
    }
    if output.calls:
        message["tool_calls"] = [
            _call(one) | {"function": {"name": one.name, "arguments": "".join(one.arguments)}}
            for one in output.calls
        ]
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": output.finish,
    }


def _call(one: ToolCall) -> dict[str, Any]:
    return {"id": one.id, "type": "function"}


def _stream(
    reply: Reply, frame: Frame, output: Output, choices: int, usage: Mapping[str, Any] | None
) -> None:
    def event(index: int, delta: Mapping[str, Any], kind: Kind, tokens: int = 0) -> Event:
        finish = output.finish if kind is Kind.FINISH else None
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(frame.chunk([choice]), kind, tokens=tokens)

    def chunks() -> Iterator[Event]:
        first = {"role": "assistant", "content": None if output.calls else "", "refusal": None}
        for index in range(choices):
            yield event(index, first, Kind.START)
        for delta in _deltas(output):
            for index in range(choices):
                yield event(index, delta, Kind.OUTPUT, tokens=_weight(delta))
        for index in range(choices):
            yield event(index, {}, Kind.FINISH)

    reply.content_type = "text/event-stream; charset=utf-8"
    reply.events = with_usage(chunks(), frame, usage)
    reply.delta = lambda text: event(0, {"content": text}, Kind.OUTPUT, tokens=count(text))
    reply.error = stream_error


def _deltas(output: Output) -> Iterator[dict[str, Any]]:
    for piece in output.pieces:
        yield {"content": piece}
    for index, one in enumerate(output.calls):
        opening = {"function": {"name": one.name, "arguments": ""}}
        yield {"tool_calls": [{"index": index} | _call(one) | opening]}
        for part in one.arguments:
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _weight(delta: Mapping[str, Any]) -> int:
    """A piece is one token; the head of a tool call is none."""
    return 0 if "tool_calls" in delta and "id" in delta["tool_calls"][0] else 1
