"""What the call itself says: its texts, tags, headers, flags and length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import override

from wattline.rules.compiled.facts import Facts
from wattline.rules.conditions.line import Line, short, word
from wattline.rules.globs import Patterns
from wattline.wire.call import Call

READERS: Mapping[str, Callable[[Call], str | None]] = MappingProxyType(
    {
        "host": lambda call: call.host.lower(),
        "path": lambda call: call.path,
        "method": lambda call: call.method,
        "operation": lambda call: call.operation,
        "dialect": lambda call: call.dialect,
        "model": lambda call: call.model,
        "principal": lambda call: call.principal.id,
        "user": lambda call: call.principal.user or call.user,
        "tier": lambda call: call.principal.tier,
    }
)
"""The text of a call that each of these conditions looks at; None when the call has none."""

FLAGS: Mapping[str, Callable[[Call], bool]] = MappingProxyType(
    {
        "stream": lambda call: call.stream,
        "tools": lambda call: call.tools,
        "images": lambda call: call.images,
        "forward": lambda call: call.forward,
    }
)


@dataclass(frozen=True, slots=True)
class TextIs(Line):
    """A text of the call fits a pattern. A call without that text fits none."""

    field: str
    patterns: Patterns
    read: Callable[[Call], str | None]

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        text = self.read(call)
        return text is not None and self.patterns.matches(text)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        text = self.read(call)
        found = "not known" if text is None else short(text)
        return f"{self.field} is {found}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class Tagged(Line):
    """Some tag of the call fits a pattern."""

    patterns: Patterns
    field: str = "tag"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return any(self.patterns.matches(tag) for tag in call.tags)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        tags = ", ".join(short(tag) for tag in sorted(call.tags)) or "not set"
        return f"tag is {tags}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class HeaderIs(Line):
    """A header of the call fits a pattern. Its value is not repeated: it may be private."""

    name: str
    patterns: Patterns
    field: str = "header"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        value = call.headers.get(self.name)
        return value is not None and self.patterns.matches(value)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        found = "is another" if self.name in call.headers else "is not sent"
        return f"header {self.name} {found}, wanted {self.patterns}"


@dataclass(frozen=True, slots=True)
class FlagIs(Line):
    """A property of the call is as wanted."""

    field: str
    wanted: bool
    read: Callable[[Call], bool]

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self.read(call) is self.wanted

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        return f"{self.field} is {word(self.read(call))}, wanted {word(self.wanted)}"


@dataclass(frozen=True, slots=True)
class TokensWithin(Line):
    """The estimate of the prompt's tokens is within bounds, both included."""

    least: int | None
    most: int | None
    field: str = "tokens"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        if self.least is not None and call.tokens < self.least:
            return False
        return self.most is None or call.tokens <= self.most

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        bounds = [f"at least {self.least}"] if self.least is not None else []
        bounds += [f"at most {self.most}"] if self.most is not None else []
        return f"tokens are about {call.tokens}, wanted {' and '.join(bounds)}"
