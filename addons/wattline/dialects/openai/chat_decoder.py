"""Streams of chat completions, and of legacy completions, into neutral events."""

from __future__ import annotations

from typing import Any

from wattline.dialects.openai.chat_calls import read_signature
from wattline.dialects.openai.chat_chunk import CallPart, Choice, Chunk, Delta, read_chunk
from wattline.dialects.openai.chat_message import read_pictures
from wattline.dialects.openai.chat_thought import read_detail
from wattline.dialects.openai.chat_usage import read_counts
from wattline.dialects.openai.envelope import MAX_ALTERNATIVES
from wattline.dialects.openai.finish import read_finish
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
from wattline.wire.sse import EventDecoder
from wattline.wire.sse import data as data_of

MAX_CALLS = 1024
"""Tool calls of one alternative."""


class _Calls:
    """The tool calls of one alternative: which part belongs to which."""

    __slots__ = ("_alternative", "_ids", "_numbers", "_waiting")

    def __init__(self, alternative: int) -> None:
        self._alternative = alternative
        self._ids: list[str | None] = []
        """The providers' ids of the calls so far."""
        self._numbers: dict[int, int] = {}
        """The newest call of each index: some providers give all calls the same one."""
        self._waiting: dict[int, str] = {}
        """Ids that came before their call's name."""

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, part: CallPart, out: list[Event]) -> None:
        """The events of one part."""
        name = part.function.name if part.function is not None else None
        arguments = part.function.arguments if part.function is not None else None
        index = self._index(part, name)
        number = self._numbers.get(index)
        if number is None or self._begins(part, name, number):
            number = self._start(index, part, name, out)
        if number is not None and arguments:
            out.append(CallDelta(number, arguments, self._alternative))
        elif arguments:
            out.append(Malformed())

    def _index(self, part: CallPart, name: str | None) -> int:
        """The provider's own, or the next for a name and the last for anything else."""
        if part.index is not None:
            return part.index
        return len(self._ids) if name else max(0, len(self._ids) - 1)

    def _begins(self, part: CallPart, name: str | None, number: int) -> bool:
        return bool(part.id and name) and part.id != self._ids[number]

    def _start(self, index: int, part: CallPart, name: str | None, out: list[Event]) -> int | None:
        if len(self._ids) >= MAX_CALLS or len(self._waiting) >= MAX_CALLS:
            return None
        if not name:
            if part.id:
                self._waiting[index] = part.id
            return None
        id_ = part.id or self._waiting.pop(index, None)
        number = self._numbers[index] = len(self._ids)
        self._ids.append(id_)
        signature = read_signature({"extra_content": part.extra_content})
        id_ = id_ or f"call_{self._alternative}_{number}"
        out.append(CallStarted(number, id_, name, self._alternative, signature))
        return number


class _Alternative:
    """What is known of one alternative."""

    __slots__ = ("calls", "plain", "stopped")

    def __init__(self, index: int) -> None:
        self.calls = _Calls(index)
        self.stopped = False
        self.plain = False
        """Its thought comes as a text: then that in `reasoning_details` is the same once more."""


class ChunkDecoder:
    """See `dialects.codec.StreamDecoder`."""

    def __init__(self) -> None:
        self._events = EventDecoder()
        self._started = False
        self._over = False
        self._alternatives: dict[int, _Alternative] = {}

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises EventTooLarge."""
        out: list[Event] = []
        if not self._over:
            for raw in self._events.feed(data):
                if self._read(raw, out):
                    self._over = True
                    break
        return out

    def end(self) -> list[Event]:
        """Nothing: an event without its blank line is not complete, says the standard."""
        return []

    def _read(self, raw: bytes, out: list[Event]) -> bool:
        """One event of the stream; True when nothing may follow it."""
        payload = data_of(raw)
        if payload is None:
            if raw.strip():
                out.append(Idle())
            return False
        if payload.strip() == b"[DONE]":
            out.append(Ended())
            return True
        chunk = read_chunk(raw, payload)
        if chunk is None:
            out.append(Malformed())
            return False
        error = chunk.error or self._chunk(chunk, out)
        if error:
            out.append(Failed(error_word(error)))
        return bool(error)

    def _chunk(self, chunk: Chunk, out: list[Event]) -> Any:
        """The events of a chunk; gives the error of a choice that is one."""
        if not self._started:
            self._started = True
            out.append(_started(chunk))
        for choice in chunk.choices:
            if choice.error:
                return choice.error
            self._choice(choice, out)
        usage = chunk.usage
        if usage is None and isinstance(chunk.x_groq, dict):
            usage = chunk.x_groq.get("usage")
        if usage is not None:
            count = read_counts(usage)
            if count.usage is not None or count.bad:
                out.append(Counted(count.usage, count.bad))
        return None

    def _choice(self, choice: Choice, out: list[Event]) -> None:
        state = self._alternatives.get(choice.index)
        if state is None:
            if not 0 <= choice.index < MAX_ALTERNATIVES:
                out.append(Malformed())
                return
            state = self._alternatives[choice.index] = _Alternative(choice.index)
        before = len(out)
        if choice.delta is not None:
            _content(choice.delta, choice.index, state, out)
        elif choice.text:
            out.append(TextDelta(choice.text, choice.index))
        if state.stopped:
            if len(out) > before:  # more of an answer that was said to be complete
                out[before:] = [Malformed()]
            return
        if choice.finish_reason:
            state.stopped = True
            called = len(state.calls) > 0
            stop, sequence = read_finish(choice.finish_reason, choice.stop_reason, called=called)
            if stop is not None:
                out.append(Stopped(stop, choice.index, sequence))


def _started(chunk: Chunk) -> Started:
    id_, model, created = chunk.id, chunk.model, chunk.created
    return Started(
        id_ if isinstance(id_, str) and id_ else None,
        model if isinstance(model, str) and model else None,
        created if type(created) is int else None,
    )


def _content(delta: Delta, index: int, state: _Alternative, out: list[Event]) -> None:
    thought = delta.reasoning_content or delta.reasoning
    if thought:
        state.plain = True
        out.append(ReasoningDelta(thought, index))
    if delta.reasoning_details:
        _details(delta.reasoning_details, index, state, out)
    if delta.content:
        out.append(TextDelta(delta.content, index))
    if delta.refusal:
        out.append(RefusalDelta(delta.refusal, index))
    if delta.images:
        _pictures(delta.images, index, out)
    if delta.tool_calls:
        for call in delta.tool_calls:
            state.calls.add(call, out)
    elif delta.function_call is not None:
        state.calls.add(CallPart(0, None, delta.function_call), out)


def _pictures(value: Any, index: int, out: list[Event]) -> None:
    """Pictures; one that stands elsewhere is told by its URL."""
    for image in read_pictures(value):
        if image.data is not None:
            out.append(Picture(image.media_type or "image/png", image.data, index))
        elif image.url is not None:
            out.append(TextDelta(image.url, index))


def _details(value: Any, index: int, state: _Alternative, out: list[Event]) -> None:
    for item in value if isinstance(value, list) else ():
        block = read_detail(item)
        if block is None:
            continue
        if block.text and not state.plain:
            out.append(ReasoningDelta(block.text, index))
        if block.signature or block.redacted:
            out.append(ReasoningSealed(block.signature, block.redacted, index))
