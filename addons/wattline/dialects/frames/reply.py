"""One answer of the service, made into messages of a protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from wattline.base.errors import OurFault, UpstreamFault
from wattline.dialects.frames.finished import Finished, Frames, delta_of, first_of, text_of
from wattline.dialects.frames.trouble import Trouble, of_answer, of_event, of_fault
from wattline.wire.http import Head, Whole
from wattline.wire.sse import EventDecoder, EventTooLarge, data

MAX_HELD: Final = 16 * 1024 * 1024
"""Characters of a stream's text that are kept for its last message; bytes of an answer in pieces."""
_DONE: Final = b"[DONE]"
_DECODER: Final = msgspec.json.Decoder()
_PLAIN: Final = frozenset({"role", "content", "refusal", "annotations"})


class Reply:
    """`take` what comes of the call, then ask for the `end`. Every message comes out in its order."""

    def __init__(self, frames: Frames, began: float) -> None:
        """`began`: monotonic seconds."""
        self._frames = frames
        self._began = began
        self._begun = False
        self._provider: str | None = None
        self._events: EventDecoder | None = None
        self._body = bytearray()
        self._whole: Mapping[str, Any] | None = None
        self._last: dict[str, Any] = {}
        self._reason: str | None = None
        self._text: list[str] = []
        self._held = 0
        self._trouble: Trouble | None = None

    def begin(self) -> list[bytes]:
        """That the request was accepted; the first time only."""
        if self._begun:
            return []
        self._begun = True
        frame = self._frames.begun()
        return [] if frame is None else [frame]

    def take(self, item: Head | Whole | bytes) -> list[bytes]:
        """The messages that are ready."""
        if isinstance(item, Whole):
            return self._take_whole(item)
        if isinstance(item, Head):
            headers = dict(item.headers)
            self._provider = headers.get("x-wattline-provider")
            if headers.get("content-type", "").lower().startswith("text/event-stream"):
                self._events = EventDecoder()
            return self.begin()
        if self._events is not None:
            return self._feed(self._events, item)
        self._body += item[: MAX_HELD + 1 - len(self._body)]
        return []

    def fail(self, trouble: Trouble) -> None:
        """The end will be this, unless there was trouble before."""
        if self._trouble is None:
            self._trouble = trouble

    def end(self, now: float, *, cut: bool = False) -> list[bytes]:
        """The last messages. `cut`: the answer broke off."""
        if cut:
            self.fail(of_fault(_broken()))
        if self._trouble is None and self._events is None and self._whole is None:
            self._whole = self._collected()
        if self._trouble is not None:
            return [self._frames.failed(self._trouble)]
        latency = max(0, round((now - self._began) * 1000))
        finished = self._streamed(latency) if self._whole is None else self._complete(latency)
        return [*self.begin(), self._frames.done(finished)]

    def _take_whole(self, item: Whole) -> list[bytes]:
        if not 200 <= item.status < 300:
            self.fail(of_answer(item))
            return []
        self._provider = dict(item.headers).get("x-wattline-provider")
        self._body = bytearray(item.body)
        self._whole = self._collected()
        return []

    def _collected(self) -> Mapping[str, Any]:
        value = _object(bytes(self._body)) if self._body else None
        if value is None:
            large = len(self._body) > MAX_HELD
            self.fail(of_fault(_too_large() if large else _unreadable()))
            return {}
        return value

    def _feed(self, events: EventDecoder, piece: bytes) -> list[bytes]:
        try:
            found = events.feed(piece)
        except EventTooLarge:
            self.fail(of_fault(_too_large()))
            return []
        frames = (self._event(raw) for raw in found)
        return [frame for frame in frames if frame is not None]

    def _event(self, raw: bytes) -> bytes | None:
        payload = data(raw)
        if payload is None or payload == _DONE or self._trouble is not None:
            return None
        chunk = _object(payload)
        if chunk is None:
            return None
        if chunk.get("error"):
            self.fail(of_event(chunk["error"]))
            return None
        self._note(chunk)
        return self._frames.part(chunk)

    def _note(self, chunk: Mapping[str, Any]) -> None:
        for member in ("model", "created", "usage"):
            if chunk.get(member) is not None:
                self._last[member] = chunk[member]
        reason = first_of(chunk).get("finish_reason")
        if isinstance(reason, str):
            self._reason = reason
        text = text_of(delta_of(chunk))
        self._held += len(text)
        if text and self._held <= MAX_HELD:
            self._text.append(text)

    def _streamed(self, latency: int) -> Finished:
        whole = self._held <= MAX_HELD
        text = "".join(self._text) if whole else None
        return self._finished(self._last, text, self._reason, latency, streamed=True)

    def _complete(self, latency: int) -> Finished:
        answer = self._whole or {}
        choice = first_of(answer)
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        reason = choice.get("finish_reason")
        tools = message.get("tool_calls")
        choices = answer.get("choices")
        plain = isinstance(choices, list) and len(choices) == 1 and _is_plain(message)
        return self._finished(
            answer,
            text_of(message),
            reason if isinstance(reason, str) else None,
            latency,
            streamed=False,
            tools=tools if isinstance(tools, list) else None,
            choices=None if plain or not isinstance(choices, list) else choices,
        )

    def _finished(
        self,
        said: Mapping[str, Any],
        text: str | None,
        reason: str | None,
        latency: int,
        *,
        streamed: bool,
        tools: list[Any] | None = None,
        choices: list[Any] | None = None,
    ) -> Finished:
        usage, model, created = said.get("usage"), said.get("model"), said.get("created")
        return Finished(
            text=text,
            reason=reason,
            usage=usage if isinstance(usage, dict) else None,
            model=model if isinstance(model, str) else None,
            created=created if isinstance(created, int) else None,
            provider=self._provider,
            latency_ms=latency,
            streamed=streamed,
            tool_calls=tools,
            choices=choices,
        )


def _is_plain(message: Mapping[str, Any]) -> bool:
    return not any(message[key] for key in message.keys() - _PLAIN)


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        value = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = _leniently(payload)
    return value if type(value) is dict else None


def _leniently(payload: bytes) -> Any:
    """Lone surrogates, and numbers of any size."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _broken() -> UpstreamFault:
    return UpstreamFault(
        "The provider broke off in the middle of its answer.", code="upstream_broke_off"
    )


def _too_large() -> UpstreamFault:
    return UpstreamFault("The answer is too large for a message.", code="answer_too_large")


def _unreadable() -> OurFault:
    return OurFault("The answer could not be read.", code="bad_answer")
