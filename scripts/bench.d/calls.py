"""The calls that the benchmark makes, as request bytes with a place for the tag."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shapes import CLIENTS, MODEL
from tags import STREAM_ORDER, TAG

_MARK = "@tag@"
_QUESTION = (
    "Explain in two or three plain sentences why a heat pump moves more energy than it uses, and "
    "say for which outside temperatures that holds. Do not use formulas."
)
_SYSTEM = (
    "You are a careful assistant. Answer briefly and in plain words, and say so when you are not "
    "sure of something that you state."
)
LONG_MESSAGES = 200
LONG_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """A whole POST but for the tag between `before` and `after`."""

    before: bytes
    after: bytes
    body_bytes: int

    def tagged(self, number: int) -> bytes:
        """The bytes to send for the call of that number."""
        return self.before + TAG % number + self.after


def plain(port: int) -> Request:
    """A chat call with a body of about 430 bytes."""
    return _request(port, [("system", _SYSTEM), ("user", f"{_QUESTION} [{_MARK}]")])


def long(port: int) -> Request:
    """A chat call with 200 messages, about 100 kB in all; the last carries the tag."""
    each = LONG_BYTES // LONG_MESSAGES - len('{"role":"assistant","content":""},')
    text = (_QUESTION * 4)[:each]
    roles = ("user", "assistant")
    history = [(roles[n % 2], text) for n in range(LONG_MESSAGES - 1)]
    return _request(port, [*history, ("user", f"{_QUESTION} [{_MARK}]")])


def stream(port: int, *, events: int, gap: float) -> Request:
    """A streamed chat call for `events` events (0: until released), one each `gap` seconds."""
    order = (STREAM_ORDER % (events, round(gap * 1000))).decode()
    return _request(
        port,
        [("system", _SYSTEM), ("user", f"{_QUESTION} [{_MARK}{order}]")],
        stream=True,
        stream_options={"include_usage": True},
    )


def translated(port: int, client: str, model: str, *, events: int, gap: float) -> Request:
    """The same of a client of that dialect, for a model of any provider."""
    order = (STREAM_ORDER % (events, round(gap * 1000))).decode()
    shape = CLIENTS[client]
    body = shape.body(model, _SYSTEM, f"{_QUESTION} [{_MARK}{order}]")
    return _post(port, shape.path.format(model=model), body)


def _request(port: int, messages: list[tuple[str, str]], **fields: Any) -> Request:
    content = [{"role": role, "content": text} for role, text in messages]
    body = {"model": MODEL, "messages": content, "temperature": 0.2, "max_tokens": 64, **fields}
    return _post(port, "/v1/chat/completions", body)


def _post(port: int, path: str, value: dict[str, Any]) -> Request:
    body = json.dumps(value, separators=(",", ":")).encode()
    before, after = body.split(_MARK.encode())
    length = len(before) + len(TAG % 0) + len(after)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        "content-type: application/json\r\nauthorization: Bearer bench\r\n"
        "accept: application/json\r\nuser-agent: wattline-bench\r\n"
        f"content-length: {length}\r\n\r\n"
    )
    return Request(head.encode() + before, after, length)
