"""A provider's stream as neutral events."""

from __future__ import annotations

from wattline.dialects.gemini.call_ids import AnswerIds
from wattline.dialects.gemini.response import AnswerCandidate, AnswerPart, Generated, read, stop
from wattline.dialects.gemini.signature import thought
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import read_usage
from wattline.dialects.gemini.words import response_error, word
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
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.reply import Stop
from wattline.wire.sse import EventDecoder, data


class GenerateDecoder:
    """Reads one stream. It has no end marker: it ends with the event that finishes the last open
    candidate and carries the usage, or, where the provider gives none, at the end of the body (`end`).
    """

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._ids = AnswerIds()
        self._started = False
        self._over = False
        self._open: set[int] = set()
        self._stopped: set[int] = set()
        self._calls: dict[int, int] = {}

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises EventTooLarge."""
        events: list[Event] = []
        for raw in self._decoder.feed(data):
            if not self._over:
                events += self._event(raw)
        return events

    def end(self) -> list[Event]:
        """What the clean end of the body says: a last event that lacks its blank line, and the end of an
        answer that was finished.
        """
        raw = self._decoder.rest()
        self._decoder = EventDecoder()
        events = self._event(raw) if raw.strip() and not self._over else []
        return events + self._ended()

    def _ended(self) -> list[Event]:
        if self._over or not self._stopped or self._open:
            return []
        self._over = True
        return [Ended()]

    def _event(self, raw: bytes) -> list[Event]:
        payload = data(raw)
        if payload is None:
            if raw.lstrip()[:1] not in (b"{", b"["):
                return [Idle()]
            payload = raw
        if payload.strip() == b"[DONE]":
            return self._ended() or [Malformed()]
        found = read(payload)
        error = found.error if found is not None else response_error(lenient(payload))
        if error:
            self._over = True
            return [Failed(word(error))]
        if found is None or found.empty:
            return [Malformed()]
        return self._read(found)

    def _read(self, found: Generated) -> list[Event]:
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(found.responseId or None, found.modelVersion or None))
        for candidate in found.candidates or ():
            events += self._candidate(candidate, found.responseId)
        if found.blocked and not self._stopped:
            self._stopped.add(0)
            events.append(Stopped(Stop.FILTERED))
        if found.usageMetadata is not None:
            count = read_usage(found.usageMetadata)
            if count.usage is not None or count.bad:
                events.append(Counted(count.usage, count.bad))
            return events + self._ended()
        return events

    def _candidate(self, candidate: AnswerCandidate, response: str | None) -> list[Event]:
        events: list[Event] = []
        index = candidate.index
        if index in self._stopped:
            return []
        if index < 0:
            return [Malformed()]
        self._open.add(index)
        for part in candidate.parts:
            events += self._part(part, index, response)
        found = stop(candidate.finishReason, calls=index in self._calls)
        if found is not None:
            self._open.discard(index)
            self._stopped.add(index)
            events.append(Stopped(found, index))
        return events

    def _part(self, part: AnswerPart, index: int, response: str | None) -> list[Event]:
        signature = part.thoughtSignature or None
        if part.functionCall is not None:
            number = self._calls.get(index, 0)
            self._calls[index] = number + 1
            known = self._ids.id(part.functionCall.id, response)
            return [
                CallStarted(number, known, part.functionCall.name, index, signature),
                CallDelta(number, part.arguments, index),
            ]
        events: list[Event] = []
        if part.thought and part.text:
            events.append(ReasoningDelta(part.text, index))
        elif part.inlineData is not None:
            blob = part.inlineData
            picture = blob.mimeType.lower().startswith("image/")
            events.append(Picture(blob.mimeType, blob.data, index) if picture else Malformed())
        elif part.fileData is not None:
            events.append(Malformed())
        elif not part.thought and (said := part.plain):
            events.append(TextDelta(said, index))
        if signature is not None:
            sealed = thought("", signature)
            events.append(ReasoningSealed(sealed.signature, sealed.redacted, index))
        return events
