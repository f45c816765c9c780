"""A provider's stream of chat or of generated text, as neutral events."""

from __future__ import annotations

from collections.abc import Iterator

from wattline.dialects.ollama.line import Line, LineCall, read_line
from wattline.dialects.ollama.moment import read
from wattline.dialects.ollama.reply import call_id, pictures, read_stop
from wattline.dialects.ollama.settings import media_type
from wattline.dialects.ollama.usage import read_counts
from wattline.dialects.openai.usage import ABSENT
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
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.ndjson import LineDecoder, payload


class LineEvents:
    """See `dialects.codec.StreamDecoder`."""

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._started = False
        self._calls = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises EventTooLarge."""
        if self._over:
            return []
        return [event for raw in self._lines.feed(data) for event in self._events(raw)]

    def end(self) -> list[Event]:
        """The upstream came to its end: a last line may lack its line end."""
        raw, self._lines = self._lines.rest(), LineDecoder()
        return list(self._events(raw)) if raw else []

    def _events(self, raw: bytes) -> Iterator[Event]:
        if self._over:
            return
        text = payload(raw)
        if text is None:
            yield Idle()
            return
        line = read_line(text)
        if line is None or not line.known:
            yield Malformed()
        elif line.error:
            self._over = True
            yield Failed(error_word(line.error))
        else:
            yield from self._read(line)

    def _read(self, line: Line) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started(None, line.model, read(line.created_at))
        message = line.message
        if thought := (message.thinking if message else None) or line.thinking:
            yield ReasoningDelta(thought)
        if content := (message.content if message else None) or line.response:
            yield TextDelta(content)
        for data in pictures(line):
            yield Picture(media_type(data) or "image/png", data)
        for call in (message.tool_calls if message else None) or ():
            yield from self._call(line, call)
        if line.done:
            yield Stopped(read_stop(line.done_reason, calls=self._calls > 0))
        if line.prompt_eval_count is not None or line.eval_count is not None:
            count = read_counts(line)
            if count != ABSENT:
                yield Counted(count.usage, count.bad)
        if line.done:
            self._over = True
            yield Ended()

    def _call(self, line: Line, call: LineCall) -> Iterator[Event]:
        index = self._calls
        self._calls += 1
        yield CallStarted(index, call_id(line, call, index), call.function.name)
        yield CallDelta(index, call.arguments)
