"""Streams of typed events: the Responses API, and the streams of images, speech and transcriptions.

Each event has a `type`; the last one carries the usage and ends the answer, without a `[DONE]`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wattline.dialects.openai.chunks import in_band_error
from wattline.dialects.openai.stream import EventReader, lenient
from wattline.dialects.openai.usage import read_usage
from wattline.dialects.words import error_word
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import event_name

_STARTUP = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
        "ping",
    }
)
_EMPTY_ITEMS = ("message", "reasoning")
"""Items that begin without any output of their own."""

_LAST = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.cancelled",
        "image_generation.completed",
        "image_edit.completed",
        "speech.audio.done",
        "transcript.text.done",
    }
)


class _Delta(msgspec.Struct, gc=False):
    type: str
    delta: str
    error: Any = None


_DELTA = msgspec.json.Decoder(_Delta)


class TypedEventReader(EventReader):
    """Reads one stream of typed events."""

    def _read(self, raw: bytes, payload: bytes) -> Piece:
        try:
            event = _DELTA.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._slow(raw, payload)
        if not event.type.endswith(".delta") or event.error:
            return self._slow(raw, payload)
        size = 0 if "audio" in event.type else len(event.delta)
        return Piece(Mark.OUTPUT, raw, size)

    def _slow(self, raw: bytes, payload: bytes) -> Piece:
        value = lenient(payload)
        if value is None:
            return Piece(Mark.MALFORMED, raw)
        kind = value.get("type") or event_name(raw)
        if not isinstance(kind, str):
            kind = ""
        response = value.get("response")
        if not isinstance(response, dict):
            response = {}
        if kind == "response.failed":
            self._ended = True
            return Piece(Mark.ERROR, raw, error=error_word(response.get("error")))
        error = in_band_error(raw, value)
        if error is not None:
            return Piece(Mark.ERROR, raw, error=error_word(error))
        if kind in _LAST:
            return self._last(raw, value, response)
        if not kind:
            return Piece(Mark.MALFORMED, raw)
        if kind in _STARTUP or _begins_empty(kind, value):
            return Piece(Mark.STARTUP, raw, model=_text(response.get("model")))
        return Piece(Mark.OUTPUT, raw)

    def _last(self, raw: bytes, value: dict[str, Any], response: dict[str, Any]) -> Piece:
        self._ended = True
        count = read_usage(response.get("usage", value.get("usage")))
        return Piece(
            Mark.END,
            raw,
            usage=count.usage,
            bad_usage=count.bad,
            model=_text(response.get("model")),
            finish=True,
        )


def _begins_empty(kind: str, value: dict[str, Any]) -> bool:
    item = value.get("item")
    return (
        kind == "response.output_item.added"
        and isinstance(item, dict)
        and item.get("type") in _EMPTY_ITEMS
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
