"""Faults by name: `name`, `name:argument`, or several joined by `+` (`tokens:200+cut:50`).

Every name, what it takes and what it does is in `SHAPES`; `parse` refuses anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from wattline.demo import shapes, streams
from wattline.demo.reply import Reply
from wattline.demo.shapes import Apply, Cue, Moment

LONGEST_SPEC = 200
MOST_FAULTS = 8


class FaultError(ValueError):
    """There is no such fault, or it can't take that argument."""


@dataclass(frozen=True, slots=True)
class Number:
    """An argument that is a number; `default` when it is left out (None: it must be given)."""

    default: float | None
    low: float
    high: float
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Word:
    """An argument that is one of the words, or, with `number`, any number."""

    words: Sequence[str]
    number: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of fault. `apply` changes the reply; `takes` is its argument, if it has one."""

    apply: Apply
    takes: Number | Word | None = None
    needs_events: bool = False
    """It says nothing about an answer that is no stream."""


_EVENTS = Number(3, 0, 1_000_000)
_RETRY_AFTER = Word(("date", "garbage", "huge"), number=True)

_SHAPES: dict[str, Shape] = {
    "ok": Shape(shapes.nothing),
    "tokens": Shape(shapes.nothing, Number(None, 1, 1_000_000)),
    "close": Shape(shapes.close),
    "reset": Shape(shapes.reset),
    **{name: Shape(shapes.status(name), _RETRY_AFTER) for name in shapes.STATUSES},
    "stall_head": Shape(shapes.stall_head),
    "stall_first": Shape(shapes.stall_first),
    "stall_mid": Shape(shapes.stall_mid, _EVENTS),
    "cut": Shape(shapes.cut, _EVENTS),
    "cut_reset": Shape(shapes.cut_reset, _EVENTS),
    "cut_clean": Shape(shapes.cut_clean, _EVENTS),
    "malformed": Shape(streams.malformed, _EVENTS),
    "error_in_200": Shape(streams.error_in_200, Word(streams.CODES)),
    "error_mid": Shape(streams.error_mid, _EVENTS, needs_events=True),
    "startup_then_error": Shape(streams.startup_then_error, needs_events=True),
    "html": Shape(shapes.html),
    "empty": Shape(shapes.empty),
    "truncated_json": Shape(shapes.truncated_json),
    "one_byte": Shape(shapes.one_byte),
    "split_utf8": Shape(shapes.split_utf8),
    "crlf": Shape(shapes.crlf, needs_events=True),
    "gzip": Shape(shapes.gzip),
    "slow_drip": Shape(shapes.slow_drip, Number(0.5, 0, 600, whole=False)),
    "usage_absent": Shape(streams.usage_absent),
    "usage_zero": Shape(streams.usage_zero),
    "usage_twice": Shape(streams.usage_twice),
    "usage_negative": Shape(streams.usage_negative),
    "usage_huge": Shape(streams.usage_huge),
    "usage_string": Shape(streams.usage_string),
    "usage_nan": Shape(streams.usage_nan),
    "no_done": Shape(streams.no_done, needs_events=True),
    "events_after_done": Shape(streams.events_after_done, needs_events=True),
    "many_pings": Shape(streams.many_pings, Number(1000, 0, 1_000_000), needs_events=True),
    "big": Shape(streams.big, Number(None, 1, 2**30)),
    "echo_headers": Shape(shapes.echo_headers),
}
SHAPES: Mapping[str, Shape] = MappingProxyType(_SHAPES)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request."""

    name: str
    argument: str | float | None = None

    def apply(self, reply: Reply, moment: Moment) -> None:
        """Change the reply."""
        shape = SHAPES[self.name]
        if reply.events is not None or not shape.needs_events:
            shape.apply(reply, Cue(self.argument, moment))

    def words(self, moment: Moment) -> str | None:
        """The text that it wants to be said, if any."""
        match self.name:
            case "tokens":
                return "demo" * Cue(self.argument, moment).count
            case "split_utf8":
                return shapes.WIDE_TEXT
            case "echo_headers":
                return shapes.headers_as_text(moment)
            case "big":
                return streams.BIG
        return None


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of one request; `spec` is how they were written."""

    spec: str
    faults: tuple[Fault, ...]

    def replaces(self) -> bool:
        """Whether the request need not even be valid: an error takes the answer's place."""
        return any(fault.name in shapes.STATUSES for fault in self.faults)

    def words(self, moment: Moment) -> str | None:
        """The first text that one of them wants to be said."""
        found = (fault.words(moment) for fault in self.faults)
        return next((words for words in found if words is not None), None)

    def apply(self, reply: Reply, moment: Moment) -> None:
        """Change the reply by each in turn."""
        for fault in self.faults:
            fault.apply(reply, moment)


def parse(spec: str) -> Faults:
    """Read a fault's text. Raises FaultError."""
    parts = spec.split("+")
    if len(spec) > LONGEST_SPEC or len(parts) > MOST_FAULTS:
        raise FaultError(f"a fault has at most {LONGEST_SPEC} characters and {MOST_FAULTS} parts")
    return Faults(spec, tuple(_fault(part.strip()) for part in parts))


def _fault(text: str) -> Fault:
    name, _, argument = text.partition(":")
    if name == "refuse":
        raise FaultError("a fault can't refuse a connection: call `await provider.refuse()`")
    if name not in SHAPES:
        near = get_close_matches(name, SHAPES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SHAPES)}"
        raise FaultError(f"there is no fault {name!r}; {hint}")
    return Fault(name, _argument(name, SHAPES[name].takes, argument.strip()))


def _argument(name: str, takes: Number | Word | None, text: str) -> str | float | None:
    match takes:
        case Number():
            return _number(name, takes, text)
        case Word() if not text or text in takes.words or (takes.number and _is_number(text)):
            return text or None
        case Word():
            wanted = ", ".join(takes.words) + (" or a number" if takes.number else "")
            raise FaultError(f"fault {name!r} takes {wanted}, not {text!r}")
    if text:
        raise FaultError(f"fault {name!r} takes no argument, but has {text!r}")
    return None


def _number(name: str, takes: Number, text: str) -> float:
    if not text and takes.default is not None:
        return float(takes.default)
    fits = _is_number(text) and takes.low <= float(text) <= takes.high
    if not fits or (takes.whole and not float(text).is_integer()):
        kind = "a whole number" if takes.whole else "a number"
        raise FaultError(
            f"fault {name!r} takes {kind} from {takes.low:g} to {takes.high:g}, not {text!r}"
        )
    return float(text)


def _is_number(text: str) -> bool:
    try:
        return text.isascii() and math.isfinite(float(text))
    except ValueError:
        return False
