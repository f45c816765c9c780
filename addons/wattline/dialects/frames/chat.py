"""The chat protocol's answers: `chat.start`, `chat.delta`, `chat.complete` (B-182, B-186)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattline.dialects.frames.asked import Name
from wattline.dialects.frames.finished import Finished, delta_of, first_of, text_of
from wattline.dialects.frames.trouble import Trouble
from wattline.dialects.json_text import dumps

AUTH_OK: Final = b'{"type":"auth.ok"}'
PONG: Final = b'{"type":"pong"}'
_PLAIN: Final = frozenset({"role", "content"})


class ChatFrames:
    """See `Frames`. Each message has the request's id."""

    def __init__(self, name: Name) -> None:
        self._name = name

    def begun(self) -> bytes | None:
        """`chat.start`."""
        return dumps({"type": "chat.start", "requestId": self._name})

    def part(self, chunk: Mapping[str, Any]) -> bytes | None:
        """`chat.delta`: the text, and the whole chunk where there is more than text in it."""
        text = text_of(delta_of(chunk))
        more = _has_more(chunk)
        if not text and not more:
            return None
        frame: dict[str, Any] = {"type": "chat.delta", "requestId": self._name, "delta": text}
        if more:
            frame["chunk"] = chunk
        return dumps(frame)

    def done(self, finished: Finished) -> bytes:
        """`chat.complete`."""
        frame: dict[str, Any] = {
            "type": "chat.complete",
            "requestId": self._name,
            "response": finished.text,
            "usage": finished.usage,
            "latencyMs": finished.latency_ms,
            "providerId": finished.provider,
            "model": finished.model,
            "finishReason": finished.reason,
        }
        if finished.choices is not None:
            frame["choices"] = finished.choices
        return dumps(frame)

    def failed(self, trouble: Trouble) -> bytes:
        """`error`."""
        return trouble.chat(self._name)


def _has_more(chunk: Mapping[str, Any]) -> bool:
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices:
        return False  # the usage: `chat.complete` has it
    if len(choices) > 1:
        return True
    choice = first_of(chunk)
    delta = choice.get("delta")
    if choice.get("index", 0) != 0 or choice.get("logprobs"):
        return True
    return isinstance(delta, dict) and any(delta[key] for key in delta.keys() - _PLAIN)
