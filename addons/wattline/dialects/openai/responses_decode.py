"""Reads a provider's stream of a response into neutral events.

Providers differ in how much they stream: what comes whole at the end of an item, or only in the last
event, is read there if nothing of it came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wattline.dialects.openai.chunks import in_band_error
from wattline.dialects.openai.responses_input import PARAGRAPH
from wattline.dialects.openai.responses_reply import (
    call_name,
    item_parts,
    read_stop,
    string,
    whole_seconds,
)
from wattline.dialects.openai.responses_usage import read_counts
from wattline.dialects.openai.stream import lenient
from wattline.dialects.words import error_word
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Failed,
    Idle,
    Malformed,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.parts import Image, Part, Reasoning, Refusal, Text
from wattline.wire.reply import Stop
from wattline.wire.sse import EventDecoder, event_name
from wattline.wire.sse import data as payload_of

MAX_ITEMS = 10_000
"""Items of one answer; more are malformed."""

_TEXT = "response.output_text.delta"
_ARGUMENTS = "response.function_call_arguments.delta"
_THOUGHTS = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_REFUSAL = "response.refusal.delta"
_LAST = frozenset({"response.completed", "response.incomplete"})
_BEGIN = frozenset({"response.created", "response.in_progress", "response.queued"})


class _Delta(msgspec.Struct, gc=False):
    type: str
    delta: str
    output_index: int | None = None
    error: Any = None


class _Item:
    """What has come of an item so far."""

    __slots__ = ("call", "done", "spoken", "thoughts")

    def __init__(self) -> None:
        self.call: int | None = None
        self.spoken = False
        self.thoughts: str | None = None
        self.done = False


_DELTA = msgspec.json.Decoder(_Delta)


class ResponsesDecoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._events = EventDecoder()
        self._items: dict[int, _Item] = {}
        self._latest = -1
        self._calls = 0
        self._started = False
        self._spoken = False
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises EventTooLarge."""
        found: list[Event] = []
        for raw in self._events.feed(data):
            if self._over:
                break
            found += self._event(raw)
        return found

    def end(self) -> list[Event]:
        """Nothing: an event without its blank line is not complete, says the standard."""
        return []

    def _event(self, raw: bytes) -> list[Event]:
        payload = payload_of(raw)
        if payload is None:
            return [Idle()]
        try:
            delta = _DELTA.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._slow(raw, payload)
        if delta.error:
            return self._slow(raw, payload)
        return self._delta(delta.type, delta.output_index, delta.delta)

    def _slow(self, raw: bytes, payload: bytes) -> list[Event]:
        if payload.strip() == b"[DONE]":
            self._over = True
            return [Ended()]
        value = lenient(payload)
        if value is None:
            return [Malformed()]
        kind = value.get("type") or event_name(raw)
        if kind in ("response.failed", "response.cancelled"):
            return self._failed(_response(value).get("error"))
        if (error := in_band_error(raw, value)) is not None:
            return self._failed(error)
        if not isinstance(kind, str):
            return [Malformed()]
        if kind.endswith(".delta") and not isinstance(value.get("delta"), str):
            return [Malformed()]
        return self._typed(kind, value)

    def _failed(self, error: Any) -> list[Event]:
        self._over = True
        return [Failed(error_word(error))]

    def _typed(self, kind: str, value: dict[str, Any]) -> list[Event]:
        if kind in _BEGIN:
            return self._start(_response(value)) or [Idle()]
        if kind in _LAST:
            return self._last(kind, value)
        index = value.get("output_index")
        if not isinstance(index, int):
            index = self._latest + 1 if kind == "response.output_item.added" else None
        if kind.endswith(".delta"):
            return self._delta(kind, index, value["delta"])
        match kind:
            case "response.output_item.added":
                return self._added(index, value.get("item"))
            case "response.output_item.done":
                return self._done(index, value.get("item"))
            case "response.reasoning_summary_part.added":
                return self._paragraph(index)
            case _:
                return [Idle()]

    def _start(self, response: Mapping[str, Any]) -> list[Event]:
        if self._started:
            return []
        self._started = True
        name, model = string(response.get("id")), string(response.get("model"))
        return [Started(name, model, whole_seconds(response.get("created_at")))]

    def _said(self, *events: Event) -> list[Event]:
        """Events that carry something of the answer."""
        self._spoken = True
        return list(events) if self._started else [*self._start({}), *events]

    def _item(self, index: int | None) -> _Item | None:
        """An item; without an index the latest. None when there are too many."""
        if index is None:
            index = max(self._latest, 0)
        found = self._items.get(index)
        if found is None and len(self._items) < MAX_ITEMS:
            found = self._items[index] = _Item()
            self._latest = index
        return found

    def _delta(self, kind: str, index: int | None, text: str) -> list[Event]:
        item = self._item(index)
        if item is None:
            return [Malformed()]
        if item.done or not text:
            return [Idle()]
        if kind == _TEXT:
            item.spoken = True
            return self._said(TextDelta(text))
        if kind == _ARGUMENTS:
            return self._arguments(item, text)
        if kind in _THOUGHTS:
            return self._thought(item, kind, text)
        if kind == _REFUSAL:
            item.spoken = True
            return self._said(RefusalDelta(text))
        return [Idle()]

    def _arguments(self, item: _Item, text: str) -> list[Event]:
        if item.call is None:
            return [Idle()]  # of a call that has not begun: its end tells all of it
        item.spoken = True
        return self._said(CallDelta(item.call, text))

    def _thought(self, item: _Item, kind: str, text: str) -> list[Event]:
        """A summary, or the thought itself: whichever comes first, as both say the same."""
        if item.thoughts not in (None, kind):
            return [Idle()]
        item.thoughts = kind
        item.spoken = True
        return self._said(ReasoningDelta(text))

    def _paragraph(self, index: int | None) -> list[Event]:
        item = self._item(index)
        if item is None or item.thoughts != "response.reasoning_summary_text.delta":
            return [Idle()]
        return [Idle()] if item.done else self._said(ReasoningDelta(PARAGRAPH))

    def _added(self, index: int | None, value: Any) -> list[Event]:
        item = self._item(index)
        if item is None or not isinstance(value, dict):
            return [Malformed()]
        if value.get("type") != "function_call" or item.call is not None or item.done:
            return [Idle()]
        return self._begin_call(item, value) or [Idle()]

    def _begin_call(self, item: _Item, value: dict[str, Any]) -> list[Event]:
        """A call, with as much of its arguments as it comes with."""
        found = call_name(value, self._calls)
        if found is None:
            return []
        item.call = self._calls
        self._calls += 1
        events = self._said(CallStarted(item.call, *found))
        arguments = value.get("arguments")
        if isinstance(arguments, str) and arguments:
            item.spoken = True
            events.append(CallDelta(item.call, arguments))
        return events

    def _done(self, index: int | None, value: Any) -> list[Event]:
        """The rest of an item: all of it, if nothing came before."""
        item = self._item(index)
        if item is None or not isinstance(value, dict):
            return [Malformed()]
        if item.done:
            return [Idle()]
        item.done = True
        if value.get("type") == "function_call":
            return self._end_call(item, value)
        events: list[Event] = []
        for part in item_parts(value, index or 0):
            events += self._part(part, item)
        return self._said(*events) if events else [Idle()]

    def _end_call(self, item: _Item, value: dict[str, Any]) -> list[Event]:
        if item.call is None:
            return self._begin_call(item, value) or [Malformed()]
        arguments = value.get("arguments")
        if item.spoken or not isinstance(arguments, str) or not arguments:
            return [Idle()]
        return self._said(CallDelta(item.call, arguments))

    def _part(self, part: Part, item: _Item) -> list[Event]:
        match part:
            case Text(text=text) if text and not item.spoken:
                return [TextDelta(text)]
            case Refusal(text=text) if text and not item.spoken:
                return [RefusalDelta(text)]
            case Reasoning():
                return self._sealed(part, item)
            case Image(media_type=str(media_type), data=str(data)):
                return [Picture(media_type, data)]
            case _:
                return []

    def _sealed(self, part: Reasoning, item: _Item) -> list[Event]:
        """The text, if it has not come, and the seal. A thought of which some came is no secret one."""
        events: list[Event] = []
        if part.text and not item.spoken:
            events.append(ReasoningDelta(part.text))
        if part.redacted is not None and not item.spoken:
            events.append(ReasoningSealed(redacted=part.redacted))
        elif (seal := part.signature or part.redacted) is not None:
            events.append(ReasoningSealed(signature=seal))
        return events

    def _last(self, kind: str, value: dict[str, Any]) -> list[Event]:
        response = _response(value)
        if response.get("error"):
            return self._failed(response["error"])
        events = self._start(response)
        output = response.get("output")
        if not self._spoken and isinstance(output, list):
            for index, item in enumerate(output):
                events += [one for one in self._done(index, item) if not isinstance(one, Idle)]
        count = read_counts(response.get("usage"))
        events.append(Stopped(self._stop(kind, response)))
        if count.bad or count.usage is not None:
            events.append(Counted(count.usage, count.bad))
        self._over = True
        return [*events, Ended()]

    def _stop(self, kind: str, response: dict[str, Any]) -> Stop:
        if kind == "response.incomplete":
            response = {**response, "status": "incomplete"}
        stop = read_stop(response, ())
        return Stop.TOOL_CALLS if stop is Stop.END and self._calls else stop


def _response(value: dict[str, Any]) -> dict[str, Any]:
    response = value.get("response")
    return response if isinstance(response, dict) else {}
