"""An answer before it is sent: what it says, and in what manner. Faults change it there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from wattline.demo.journal import Ended


def to_json(value: object) -> bytes:
    """Compact UTF-8 JSON. NaN is written as it is: one fault needs it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


class Kind(Enum):
    """What an event is for; faults pick events by it."""

    START = auto()
    OUTPUT = auto()
    FINISH = auto()
    USAGE = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `data` is its JSON, or a literal such as `[DONE]`; `raw` stands for all
    of it when it is no proper event. `name` becomes the `event:` line.
    """

    data: Mapping[str, Any] | str
    kind: Kind
    name: str | None = None
    tokens: int = 0
    raw: bytes | None = field(default=None, repr=False)

    def usage(self) -> Mapping[str, Any] | None:
        """The usage in it: at its top, or in its `response`."""
        holder = self._holder()
        usage = None if holder is None else holder.get("usage")
        return usage if isinstance(usage, dict) else None

    def with_usage(self, usage: Mapping[str, Any] | None) -> Event:
        """The same event with another usage, or without one."""
        holder = self._holder()
        if holder is None or isinstance(self.data, str):
            return self
        changed = {name: value for name, value in holder.items() if name != "usage"}
        if usage is not None:
            changed["usage"] = usage
        whole = changed if holder is self.data else {**self.data, "response": changed}
        return replace(self, data=whole)

    def _holder(self) -> Mapping[str, Any] | None:
        if isinstance(self.data, str):
            return None
        response = self.data.get("response")
        return response if isinstance(response, dict) else self.data

    def encode(self) -> bytes:
        """Its bytes, blank line included."""
        if self.raw is not None:
            return self.raw
        data = self.data.encode() if isinstance(self.data, str) else to_json(self.data)
        head = b"" if self.name is None else b"event: " + self.name.encode() + b"\n"
        return head + b"data: " + data + b"\n\n"


class Break(Enum):
    """What happens at a place in an answer instead of its going on."""

    STALL = auto()
    """Nothing more until `DemoProvider.release`, or until the client goes."""
    CLOSE = auto()
    """The connection is closed with the answer unfinished (FIN)."""
    RESET = auto()
    """The connection is reset (RST)."""
    END = auto()
    """The HTTP message is ended properly."""


type Slicer = Callable[[bytes], Iterator[bytes]]


@dataclass(slots=True)
class Manner:
    """How an answer is put on the wire. `after[k]` is what happens when k events were sent (of a
    body in one piece: 0 none of it, 1 its first half).
    """

    before: Break | None = None
    """What happens before the head."""
    after: dict[int, Break] = field(default_factory=dict)
    newline: bytes = b"\n"
    slicer: Slicer | None = None
    """Cuts what is written into the pieces that are sent one by one."""
    gzip: bool = False
    drip: float = 0.0
    """Seconds before each event, or before each tenth of a body."""
    paced: bool = True
    """Whether the output takes its time, by `token_speed`."""


@dataclass(slots=True)
class Reply:
    """An answer: one `body` (JSON, or bytes as they are), or `events` when it is a stream."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    events: Iterable[Event] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of all output."""
    delta: Callable[[str], Event] | None = None
    """Makes one more event of output in this stream's dialect."""
    error: Callable[[str, str], Event] | None = None
    """Makes this dialect's error event from a code and a message."""
    claims: Mapping[str, Any] | None = None
    """The usage in a body that is bytes already."""
    manner: Manner = field(default_factory=Manner)
    ending: Ended = Ended.COMPLETE
    """What the journal says when all went as planned here."""

    def usage(self) -> Mapping[str, Any] | None:
        """The usage that the body claims."""
        return self.body.get("usage") if isinstance(self.body, dict) else self.claims

    def payload(self) -> bytes:
        """The body's bytes."""
        return self.body if isinstance(self.body, bytes) else to_json(self.body)

    def fail(
        self,
        status: int,
        message: str,
        *,
        kind: str,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        """Make it an error in OpenAI's shape."""
        self.status, self.events = status, None
        self.content_type = "application/json"
        self.body = error_body(message, kind=kind, code=code, param=param)
        self.prompt_tokens = self.completion_tokens = 0


def error_body(
    message: str, *, kind: str, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """`{"error": {…}}` as in https://platform.openai.com/docs/guides/error-codes."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
