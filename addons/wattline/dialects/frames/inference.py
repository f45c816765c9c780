"""The inference protocol's answers: `inference_response`, whole or in parts (D-061), and `heartbeat`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.frames.asked import Name
from wattline.dialects.frames.finished import Finished, delta_of, text_of
from wattline.dialects.frames.trouble import Trouble
from wattline.dialects.json_text import dumps


class InferenceFrames:
    """See `Frames`. Of a stream, the last part has the finish reason and the usage, and no text."""

    def __init__(self, name: Name) -> None:
        self._name = name

    def begun(self) -> bytes | None:
        """The protocol has no such message."""
        return None

    def part(self, chunk: Mapping[str, Any]) -> bytes | None:
        """Some text, or pieces of tool calls."""
        delta = delta_of(chunk)
        text, tools = text_of(delta), delta.get("tool_calls")
        if not text and not tools:
            return None
        data: dict[str, Any] = {
            "content": text,
            "finish_reason": None,
            "usage": None,
            "model": chunk.get("model"),
            "created": chunk.get("created"),
        }
        return self._response(data | ({"tool_calls": tools} if tools else {}))

    def done(self, finished: Finished) -> bytes:
        """The whole answer, or the end of a stream."""
        data: dict[str, Any] = {
            "content": "" if finished.streamed else finished.text,
            "finish_reason": finished.reason,
            "usage": finished.usage,
            "model": finished.model,
            "created": finished.created,
        }
        if finished.tool_calls and not finished.streamed:
            data["tool_calls"] = finished.tool_calls
        return self._response(data)

    def failed(self, trouble: Trouble) -> bytes:
        """`error`."""
        return trouble.inference(self._name)

    def _response(self, data: Mapping[str, Any]) -> bytes:
        return dumps({"type": "inference_response", "id": self._name, "data": data})


def heartbeat(now_ms: int) -> bytes:
    """D-062; milliseconds since 1970 UTC."""
    return dumps({"type": "heartbeat", "timestamp": now_ms})


def close(reason: str, code: int) -> bytes:
    """D-064: said before the connection's own close."""
    return dumps({"type": "close", "reason": reason, "code": code})
