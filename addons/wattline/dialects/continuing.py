"""Readers of streams that may be continued: one that listens, and one for the continuation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from wattline.dialects.base import StreamReader
from wattline.dialects.codec import StreamDecoder, StreamEncoder
from wattline.dialects.seam import Seam
from wattline.dialects.transcript import Transcript
from wattline.dialects.translation import TranslatingReader
from wattline.wire.events import (
    Counted,
    Event,
    Failed,
    Idle,
    Malformed,
    ReasoningDelta,
    ReasoningSealed,
    Started,
    TextDelta,
)
from wattline.wire.piece import Mark, Piece
from wattline.wire.usage import Usage

_BLOCK: Final = b'"content_block_start"'
_BLOCK_OVER: Final = b'"content_block_stop"'
"""Anthropic's frames around a text, which have no neutral form. In a text their quotes are escaped."""


class ListeningReader:
    """A reader whose pieces go out as they came; a decoder beside it tells a transcript what is in them."""

    def __init__(
        self, reader: StreamReader, decoder: StreamDecoder, transcript: Transcript
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._transcript = transcript
        self._blocks = 0

    def feed(self, data: bytes) -> Sequence[Piece]:
        """See `StreamReader`. Raises EventTooLarge."""
        return self._heard(self._reader.feed(data))

    def end(self) -> Sequence[Piece]:
        """See `StreamReader`."""
        return self._heard(self._reader.end())

    def rest(self) -> bytes:
        """See `StreamReader`."""
        return self._reader.rest()

    @property
    def ended(self) -> bool:
        """See `StreamReader`."""
        return self._reader.ended

    def _heard(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        for piece in pieces:
            if piece.mark is Mark.ERROR:
                break
            for event in self._decoder.feed(piece.raw):
                self._transcript.note(event)
            self._frame(piece.raw)
        return pieces

    def _frame(self, raw: bytes) -> None:
        if _BLOCK in raw:
            self._blocks += 1
            if self._blocks > 1:
                self._transcript.block("blocks")
        elif _BLOCK_OVER in raw:
            self._transcript.block("complete")


class ListeningDecoder:
    """A decoder whose events a transcript is told of."""

    def __init__(self, decoder: StreamDecoder, transcript: Transcript) -> None:
        self._decoder = decoder
        self._transcript = transcript

    def feed(self, data: bytes) -> Sequence[Event]:
        """See `StreamDecoder`. Raises EventTooLarge."""
        return self._heard(self._decoder.feed(data))

    def end(self) -> Sequence[Event]:
        """See `StreamDecoder`."""
        return self._heard(self._decoder.end())

    def _heard(self, events: Sequence[Event]) -> Sequence[Event]:
        for event in events:
            self._transcript.note(event)
        return events


class ContinuingReader(TranslatingReader):
    """Reads the stream of a target that goes on with an answer, into pieces that follow those which the client
    has: the same id and model, no second start, each character once.

    `encoder` is fresh; `transcript` is of what the client has, and is kept up. `before` is what the earlier
    attempts used: the client is told the sum, and each piece's own `usage` is this attempt's.
    """

    def __init__(
        self,
        decoder: StreamDecoder,
        encoder: StreamEncoder,
        seam: Seam,
        transcript: Transcript,
        before: Usage,
        created: int | None = None,
    ) -> None:
        super().__init__(decoder, encoder, created)
        self._seam = seam
        self._transcript = transcript
        self._before = before
        self._counted: Usage | None = None
        started = transcript.started or Started()
        if started.created is None:
            started = replace(started, created=created)
        encoder.encode(started)
        encoder.encode(TextDelta(transcript.text))

    def _pieces(self, events: Iterable[Event]) -> list[Piece]:
        return [
            piece if piece.usage is None else replace(piece, usage=self._counted)
            for piece in super()._pieces(self._joined(events))
        ]

    def _joined(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            match event:
                case Started() | ReasoningDelta() | ReasoningSealed():
                    pass  # the client's answer has begun, and is plain text
                case TextDelta():
                    if not event.alternative:
                        yield from self._text(self._seam.feed(event.text))
                case Counted(usage=usage, bad=False) if usage is not None:
                    self._counted = usage
                    yield Counted(self._before + usage)
                case Counted() | Idle() | Failed() | Malformed():
                    self._transcript.note(event)
                    yield event
                case _:
                    yield from self._text(self._seam.end())
                    self._transcript.note(event)
                    yield event

    def _text(self, text: str) -> Iterator[Event]:
        if text:
            event = TextDelta(text)
            self._transcript.note(event)
            yield event
