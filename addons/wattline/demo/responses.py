"""`POST /v1/responses`, plain and streamed.

Shapes: https://platform.openai.com/docs/api-reference/responses and …/responses-streaming. There is
no `[DONE]`: `response.completed` (or `response.incomplete`) ends the stream and carries the usage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as counter
from typing import Any

from wattline.demo.asked import Asked, sentence
from wattline.demo.chat import MOST_TOKENS, json_answer
from wattline.demo.check import Fields
from wattline.demo.output import Output, Tool, ToolCall, call, choose, compact, read_tool, say
from wattline.demo.reply import Event, Kind, Reply
from wattline.demo.schema import example
from wattline.demo.tokens import count

ROLES = ("user", "assistant", "system", "developer")


def responses(asked: Asked) -> Reply:
    """Answer a response. Raises Refused."""
    fields = asked.fields
    fields.text("model", required=True)
    items = _items(fields)
    tools = [
        read_tool(tool)
        for tool in fields.objects("tools")
        if tool.text("type", required=True) == "function"
    ]
    fields.number("temperature", 0, 2)
    prompt = sum(count(text) for _, text in items) + count(fields.text("instructions") or "")
    prompt = max(1, prompt + (count(compact(fields.get("tools"))) if tools else 0))
    output = _output(asked, tools, items, prompt)
    usage = _usage(prompt, output.tokens)
    answer = _Answer(asked, output, usage)
    reply = Reply(prompt_tokens=prompt, completion_tokens=output.tokens)
    if fields.flag("stream"):
        reply.content_type = "text/event-stream; charset=utf-8"
        reply.events = answer.events()
        reply.delta = answer.delta
        reply.error = answer.error
    else:
        reply.body = answer.object(answer.status, answer.output_items(), usage)
    return reply


def _items(fields: Fields) -> list[tuple[str, str]]:
    """Role (or type) and text of each input item."""
    value = fields.need("input")
    if isinstance(value, str):
        return [("user", value)]
    if not isinstance(value, list):
        raise fields.wrong_type("input", "a string or an array of objects")
    return [_item(item) for item in fields.objects("input", required=True)]


def _item(item: Fields) -> tuple[str, str]:
    kind = item.text("type") or "message"
    if kind != "message":
        output = item.get("output")
        return kind, output if isinstance(output, str) else ""
    role = item.one_of("role", ROLES, required=True) or ""
    content = item.need("content")
    if isinstance(content, str):
        return role, content
    if not isinstance(content, list):
        raise item.wrong_type("content", "a string or an array of objects")
    return role, "".join(part.text("text") or "" for part in item.objects("content"))


def _output(
    asked: Asked, tools: Sequence[Tool], items: Sequence[tuple[str, str]], prompt: int
) -> Output:
    fields = asked.fields
    limit = fields.integer("max_output_tokens", 1, MOST_TOKENS)
    role, text = items[-1]
    chosen = [] if _idle_choice(fields) else choose(fields, tools, text if role == "user" else "")
    structured = _structured(fields, len(items), prompt)
    if asked.words is not None:
        return say(asked.words, limit=limit)
    if chosen and role != "function_call_output":
        return call(chosen, asked.number)
    return say(structured or sentence(len(items), "input item", prompt), limit=limit)


def _idle_choice(fields: Fields) -> bool:
    """`auto` or `none` without tools, which this API takes, unlike chat: Codex has its tools in an item
    of the input.
    """
    return not fields.get("tools") and fields.get("tool_choice") in ("auto", "none")


def _structured(fields: Fields, items: int, prompt: int) -> str | None:
    text = fields.object("text")
    form = text.object("format") if text else None
    kind = form.one_of("type", ("text", "json_object", "json_schema")) if form else None
    if kind == "json_object":
        return json_answer(items, prompt)
    if form and kind == "json_schema":
        form.object("schema")
        return compact(example(form.need("schema")))
    return None


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }


@dataclass(slots=True)
class _Place:
    """Where in the answer an event belongs."""

    item_id: str
    output_index: int

    def of(self, **more: Any) -> dict[str, Any]:
        return {"item_id": self.item_id, "output_index": self.output_index, **more}


class _Answer:
    """The response object and the events that build it up."""

    def __init__(self, asked: Asked, output: Output, usage: dict[str, Any]) -> None:
        self._asked = asked
        self._output = output
        self._usage = usage
        self._sequence = counter()
        self.status = "incomplete" if output.cut else "completed"

    def object(
        self, status: str, output: Sequence[Any], usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The response object at one moment."""
        body, cut = self._asked.body, status == "incomplete"
        return {
            "id": self._asked.id("resp_"),
            "object": "response",
            "created_at": self._asked.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": {"effort": None, "summary": None},
            "store": body.get("store") is not False,
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": usage,
            "user": None,
            "metadata": body.get("metadata") or {},
        }

    def output_items(self) -> list[dict[str, Any]]:
        if self._output.calls:
            return [_call_item(one, "completed") for one in self._output.calls]
        return [self._message(self.status, [_text_part(self._output.text)])]

    def events(self) -> Iterator[Event]:
        """The whole stream. Event names as documented; each has the next `sequence_number`."""
        started = self.object("in_progress", [], None)
        yield self._event("response.created", Kind.START, response=started)
        yield self._event("response.in_progress", Kind.START, response=started)
        if self._output.calls:
            for index, one in enumerate(self._output.calls):
                yield from self._call_events(index, one)
        else:
            yield from self._text_events()
        final = self.object(self.status, self.output_items(), self._usage)
        yield self._event(f"response.{self.status}", Kind.END, response=final)

    def delta(self, text: str) -> Event:
        """One more piece of the message's text."""
        place = _Place(self._asked.id("msg_"), 0).of(content_index=0)
        return self._event(
            "response.output_text.delta",
            Kind.OUTPUT,
            tokens=count(text),
            **place,
            delta=text,
            logprobs=[],
        )

    def error(self, code: str, message: str) -> Event:
        """The `error` event."""
        return self._event("error", Kind.END, code=code, message=message, param=None)

    def _text_events(self) -> Iterator[Event]:
        place = _Place(self._asked.id("msg_"), 0)
        text, item = self._output.text, self._message("in_progress", [])
        yield self._event("response.output_item.added", Kind.START, output_index=0, item=item)
        at = place.of(content_index=0)
        yield self._event("response.content_part.added", Kind.START, **at, part=_text_part(""))
        for piece in self._output.pieces:
            yield self.delta(piece)
        yield self._event("response.output_text.done", Kind.FINISH, **at, text=text, logprobs=[])
        yield self._event("response.content_part.done", Kind.FINISH, **at, part=_text_part(text))
        done = self._message(self.status, [_text_part(text)])
        yield self._event("response.output_item.done", Kind.FINISH, output_index=0, item=done)

    def _call_events(self, index: int, one: ToolCall) -> Iterator[Event]:
        place = _Place(one.id.replace("call_", "fc_"), index)
        opened = _call_item(one, "in_progress") | {"arguments": ""}
        yield self._event(
            "response.output_item.added", Kind.OUTPUT, output_index=index, item=opened
        )
        for part in one.arguments:
            yield self._event(
                "response.function_call_arguments.delta",
                Kind.OUTPUT,
                tokens=1,
                **place.of(delta=part),
            )
        yield self._event(
            "response.function_call_arguments.done",
            Kind.FINISH,
            **place.of(name=one.name, arguments="".join(one.arguments)),
        )
        done = _call_item(one, "completed")
        yield self._event("response.output_item.done", Kind.FINISH, output_index=index, item=done)

    def _message(self, status: str, content: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": self._asked.id("msg_"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _event(self, name: str, kind: Kind, /, tokens: int = 0, **data: Any) -> Event:
        numbered = {"type": name, "sequence_number": next(self._sequence), **data}
        return Event(numbered, kind, name=name, tokens=tokens)


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(one: ToolCall, status: str) -> dict[str, Any]:
    return {
        "id": one.id.replace("call_", "fc_"),
        "type": "function_call",
        "status": status,
        "call_id": one.id,
        "name": one.name,
        "arguments": "".join(one.arguments),
    }
