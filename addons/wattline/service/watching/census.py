"""Who calls what: hosts, dialects, models, clients, streams, tokens, calls a minute. Counted, never kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wattline.base.errors import Fault
from wattline.service.exchange import Exchange
from wattline.service.watching.carried import Carried
from wattline.wire.http import Request, Use

MOST: Final = 500
"""Different hosts, models and clients that are told apart; the others count together."""
OTHERS: Final = "(others)"
_MINUTE: Final = 60
_TEXT: Final = 120


@dataclass(slots=True)
class Rate:
    """The busiest minute."""

    most: int = 0
    _minute: int = -1
    _count: int = 0

    def add(self, now: float, count: int = 1) -> None:
        """So many now, in monotonic seconds."""
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += count
        self.most = max(self.most, self._count)


@dataclass(slots=True)
class Seen:
    """Calls of one kind. Tokens are those that providers told, or estimates."""

    calls: int = 0
    streams: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def add(self, exchange: Exchange, *, failed: bool) -> None:
        """One more call."""
        self.calls += 1
        self.streams += exchange.call.stream
        self.failed += failed
        if exchange.usage is not None:
            self.prompt += exchange.usage.prompt
            self.completion += exchange.usage.completion
            self.cached += exchange.usage.cached


@dataclass(slots=True)
class Host:
    """One host whose calls are read."""

    all: Seen = field(default_factory=Seen)
    models: dict[str, Seen] = field(default_factory=dict)
    dialects: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    calls: Rate = field(default_factory=Rate)
    tokens: Rate = field(default_factory=Rate)
    origins: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Scheme and port of each call."""
    unread: int = 0
    """Requests that went on although we could not read them."""


@dataclass(slots=True)
class Tunnels:
    """One host whose traffic is not read. `up` and `down` are bytes."""

    connections: int = 0
    up: int = 0
    down: int = 0


class Census:
    """`now` is monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.began = now()
        self.hosts: dict[str, Host] = {}
        self.tunnels: dict[str, Tunnels] = {}

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._now() - self.began

    @property
    def calls(self) -> int:
        """In all."""
        return sum(host.all.calls for host in self.hosts.values())

    def unread(self, host: str) -> None:
        """A request went on although we could not read it."""
        _of(self.hosts, host, Host).unread += 1

    def note(self, request: Request, exchange: Exchange | None, fault: Fault | None) -> None:
        """A call has ended."""
        if exchange is None:
            if request.use is Use.FORWARD:
                self.unread(request.host)
            return
        call, now = exchange.call, self._now()
        host = _of(self.hosts, call.host, Host)
        failed = fault is not None or exchange.usage is None
        host.all.add(exchange, failed=failed)
        _of(host.models, call.model, Seen).add(exchange, failed=failed)
        host.dialects[call.dialect] += 1
        host.origins[request.scheme, request.port] += 1
        host.operations[call.operation.value] += 1
        client = _client(call.headers.get("user-agent", ""))
        host.clients[client if client in host.clients or len(host.clients) < MOST else OTHERS] += 1
        host.calls.add(now)
        host.tokens.add(now, exchange.usage.total if exchange.usage is not None else 0)

    def carried(self, passed: Carried) -> None:
        """A tunnel has ended."""
        seen = _of(self.tunnels, passed.host, Tunnels)
        seen.connections += 1
        seen.up += passed.up.came.bytes
        seen.down += passed.down.came.bytes


def _of[T](table: dict[str, T], name: str, make: Callable[[], T]) -> T:
    name = name[:_TEXT]
    if name not in table:
        name = name if len(table) < MOST else OTHERS
        table.setdefault(name, make())
    return table[name]


def _client(agent: str) -> str:
    """The first product of a user agent: `OpenAI/Python 1.2`, `claude-cli/2.0.1`."""
    agent = "".join(char if char.isprintable() else " " for char in agent[: 4 * _TEXT])
    return agent.partition(" (")[0].strip()[:_TEXT] or "(no user agent)"
