"""What a dialect must be able to do. All of it is sans-io."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from wattline.base.errors import Fault
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage, UsageSource

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: which dialect and operation, and the path below the provider's base URL."""

    dialect: str
    operation: Operation
    upstream_path: str
    """For example `/chat/completions`: appended to a target's base URL."""
    json: bool = True
    """The body is JSON (False: multipart upload)."""
    either: bool = False
    """Where uploads are taken: JSON is taken as well."""
    family: str = ""
    """The API whose clients use the path, where that is not the dialect: `groq`, `openrouter`. An operator
    can switch families off.
    """
    subject: str = ""
    """What a lookup asks about: the id in its path."""

    @property
    def switch(self) -> str:
        """The family's name, the dialect's where it has none of its own."""
        return self.family or self.dialect


@dataclass(frozen=True, slots=True)
class Energy:
    """What an answer cost, ready for the wire. `micro` is None when no rate is known."""

    micro: int | None

    @property
    def json(self) -> str:
        """A JSON number with no trailing zeros (`15.75`), or `null`."""
        if self.micro is None:
            return "null"
        whole, part = divmod(abs(self.micro), 1_000_000)
        sign = "-" if self.micro < 0 else ""
        return f"{sign}{whole}.{part:06d}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole (not streamed) answer of an upstream, as far as metering needs it.

    `usage` is None when the answer has none; `error` is a status-like word for an error inside a 2xx;
    `sound` is False when the body is not what the operation promises (HTML, empty, cut JSON).
    """

    usage: Usage | None
    sound: bool = True
    bad_usage: bool = False
    error: str | None = None
    output: int = 0
    model: str | None = None


LOOKED_UP: Final = Answer(Usage(0, 0, source=UsageSource.COUNTED))
"""A lookup costs nothing, whatever its answer says of the call that it asks about."""


class StreamReader(Protocol):
    """Bytes in, pieces out, at any chunk boundary, with bounded memory."""

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Pieces that `data` completes. Raises `EventTooLarge` past the bound of one event."""
        ...

    def end(self) -> Sequence[Piece]:
        """The upstream came to its end: pieces of a last event that lacks its terminator, where the dialect
        lets it. Once.
        """
        ...

    def rest(self) -> bytes:
        """Bytes after the last complete event (at the upstream's end)."""
        ...

    @property
    def ended(self) -> bool:
        """The dialect's end marker has been seen."""
        ...


class Dialect(Protocol):
    """One API's shapes. Stateless; one instance serves all calls."""

    name: str
    stream_type: str
    """Media type of its streams."""

    def read_call(
        self,
        request: Request,
        route: Route,
        body: Mapping[str, Any],
        principal: Principal,
        path: str,
    ) -> Call:
        """The neutral call. Raises `ClientFault` naming the field at fault."""
        ...

    def path(self, route: Route, call: Call, model: str) -> str:
        """The path below a target's base URL: the route's own, where the model is not part of it."""
        ...

    def write_body(
        self,
        body: bytes,
        call: Call,
        model: str,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any] = NOTHING,
    ) -> bytes:
        """The body for a target: `model` replaced, `include_usage` asked for in streams, `overrides`
        set, `defaults` added where the client set nothing; every other byte as the client sent it.
        """
        ...

    def reader(self, call: Call) -> StreamReader:
        """A fresh reader for one streamed answer."""
        ...

    def read_answer(self, call: Call, body: bytes) -> Answer:
        """What a whole 2xx body says."""
        ...

    def write_answer(self, call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
        """The whole body with `usage.energy` spliced in (and the usage, where it had none)."""
        ...

    def write_usage(
        self,
        call: Call,
        piece: Piece | None,
        usage: Usage,
        energy: Energy,
        like: Piece | None = None,
    ) -> bytes:
        """The stream's usage event with energy. `piece` is the upstream's own, if it sent one, and is
        replaced by what this returns, unless its mark is OUTPUT: such a piece goes out untouched and
        this follows it. `like` is any earlier piece that the client got: an event made here takes its
        id, model and time from it.
        """
        ...

    def error(self, fault: Fault, call_id: str) -> Whole:
        """A fault as this dialect's clients expect it, headers included."""
        ...

    def stream_error(
        self, fault: Fault, call_id: str, operation: Operation = Operation.CHAT
    ) -> bytes:
        """The error event for a stream of `operation` that broke after its first output."""
        ...


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON body: the bytes as they came and what they mean."""

    raw: bytes = field(repr=False)
    value: Mapping[str, Any] = field(repr=False)
