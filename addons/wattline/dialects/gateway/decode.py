"""A gateway's own stream back into neutral events: for answers that are kept and told again."""

from __future__ import annotations

from typing import Any

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_decoder import ChunkDecoder
from wattline.dialects.openai.stream import lenient
from wattline.wire.events import Event
from wattline.wire.sse import EventDecoder, data, event


class DeltaDecoder:
    """See `dialects.codec.StreamDecoder`. Each event is read as the chunk of OpenAI's that it stands for."""

    def __init__(self) -> None:
        self._events = EventDecoder()
        self._chunks = ChunkDecoder()

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises EventTooLarge."""
        return [
            found for raw in self._events.feed(chunk) for found in self._chunks.feed(_told(raw))
        ]

    def end(self) -> list[Event]:
        """What the end says."""
        return list(self._chunks.end())


def _told(raw: bytes) -> bytes:
    payload = data(raw)
    value = None if payload is None else lenient(payload)
    if value is None or "error" in value:
        return raw
    chunk: dict[str, Any] = {"choices": []}
    if "usage" in value:
        chunk["usage"] = value["usage"]
    if isinstance(value.get("delta"), dict) and "usage" not in value:
        index = value.get("index", 0)
        choice = {"index": index, "delta": value["delta"]}
        chunk["choices"] = [choice | {"finish_reason": value.get("finish_reason")}]
    return event(dumps(chunk))
