"""The shape of a case: which keys its parts have, and what can stand under each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from wattline.rules.compiled.facts import HEALTHY, OUT, RESTING
from wattline.rules.problems import unknown
from wattline.wire.call import Operation

CODES: Final = ("resting", "parked", "breaker", "window_full", "score")
"""Why a target can be left out at one time, and tried at another."""
STATES: Final = (HEALTHY, RESTING, OUT)
EXPECT: Final = ("rule", "first", "targets", "skipped", "denied", "passed", "panic", "unknown")
"""What can be expected, in the order in which it is told."""
_MOST: Final = 10**12
"""Of tokens and of energy."""


class BadCase(ValueError):
    """A case that can't be understood. The message says where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it was written. `place` is where, for messages."""

    name: str
    request: Mapping[str, Any]
    state: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    place: str = "case"

    @property
    def without(self) -> frozenset[str]:
        """Providers without a key; all others have theirs."""
        return frozenset(self.state.get("without_keys", ()))

    @property
    def unconfigured(self) -> bool:
        """No provider but the demo can be used."""
        return bool(self.state.get("unconfigured", False))


def read_case(value: Any, place: str, *, bare: bool = False) -> Case:
    """The case. `bare`: it may expect nothing yet. Raises BadCase."""
    if not isinstance(value, dict):
        raise BadCase(f"{place}: a case is a mapping with `request` and `expect`")
    _check_keys(value, ("name", *_PARTS), place)
    parts = {name: _part(value.get(name), name, f"{place}.{name}") for name in _PARTS}
    if "model" not in parts["request"]:
        raise BadCase(f"{place}.request.model: a text is needed")
    if not parts["expect"] and not bare:
        raise BadCase(
            f"{place}.expect: nothing is expected, so nothing is tested. Known: {', '.join(EXPECT)}"
        )
    return Case(str(value.get("name") or place), **parts, place=place)


def _part(found: Any, name: str, place: str) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadCase(f"{place}: it must be a mapping")
    checks = _PARTS[name]
    _check_keys(found, checks, place)
    for key, said in found.items():
        checks[key](said, f"{place}.{key}")
    return found


def _check_keys(
    value: Mapping[Any, Any], known: Mapping[str, Any] | tuple[str, ...], place: str
) -> None:
    for name in value:
        if name not in known:
            raise BadCase(f"{place}: {unknown('key', str(name), known)}")


type _Check = Callable[[Any, str], None]
"""Raises BadCase with the place for a value that can't stand there."""


def _wrong(place: str, wanted: str, said: Any) -> BadCase:
    return BadCase(f"{place}: {wanted} is needed, not {said!r:.60}")


def _text(said: Any, place: str) -> None:
    if not isinstance(said, str) or not said:
        raise _wrong(place, "a text", said)


def _text_or_none(said: Any, place: str) -> None:
    if said is not None:
        _text(said, place)


def _flag(said: Any, place: str) -> None:
    if not isinstance(said, bool):
        raise _wrong(place, "true or false", said)


def _count(said: Any, place: str) -> None:
    if type(said) is not int or not 0 <= said <= _MOST:
        raise _wrong(place, f"a whole number from 0 to {_MOST}", said)


def _number(said: Any, place: str, least: float, most: float) -> None:
    if type(said) not in (int, float) or not math.isfinite(said) or not least <= said <= most:
        raise _wrong(place, f"a number from {least:g} to {most:g}", said)


def _share(said: Any, place: str) -> None:
    _number(said, place, 0, 1)


def _energy(said: Any, place: str) -> None:
    _number(said, place, -_MOST, _MOST)


def _texts(said: Any, place: str) -> None:
    if not isinstance(said, list):
        raise _wrong(place, "a list", said)
    for index, item in enumerate(said):
        _text(item, f"{place}[{index}]")


def _one_of(kind: str, words: tuple[str, ...]) -> _Check:
    def check(said: Any, place: str) -> None:
        _text(said, place)
        if said not in words:
            raise BadCase(f"{place}: {unknown(kind, said, words)}")

    return check


def _mapping(below: _Check) -> _Check:
    def check(said: Any, place: str) -> None:
        if not isinstance(said, dict):
            raise _wrong(place, "a mapping", said)
        for name, item in said.items():
            _text(name, place)
            below(item, f"{place}.{name:.80}")

    return check


def _header(said: Any, place: str) -> None:
    """A header may be empty, and YAML takes digits for a number."""
    if not isinstance(said, str) and type(said) is not int:
        raise _wrong(place, "a text", said)


def _moment(said: Any, place: str) -> None:
    moment_of(said, place)


def moment_of(said: Any, place: str) -> datetime:
    """A time as it is written in a case; UTC where it does not say. Raises BadCase."""
    try:
        found = said if isinstance(said, datetime) else datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise BadCase(f"{place}: {said!r:.60} is no time: write 2026-01-07T12:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


_STATE: Final = _one_of("state", STATES)


def _health(said: Any, place: str) -> None:
    """`resting`, or all figures: state, attempts, score, share of errors, milliseconds."""
    if isinstance(said, str):
        _STATE(said, place)
        return
    if not isinstance(said, list) or len(said) != len(_FIGURES):
        raise BadCase(f"{place}: write healthy, resting or out")
    for index, check in enumerate(_FIGURES):
        check(said[index], f"{place}[{index}]")


def _time(said: Any, place: str) -> None:
    if said is not None:
        _number(said, place, 0, _MOST)


_FIGURES: Final[tuple[_Check, ...]] = (_STATE, _count, _share, _share, _time)


def _anything(said: Any, place: str) -> None:
    """What is expected is compared, whatever it is."""


_REQUEST: Final[Mapping[str, _Check]] = MappingProxyType(
    {
        "model": _text, "path": _text, "method": _text, "host": _text, "dialect": _text,
        "operation": _one_of("operation", tuple(map(str, Operation))), "stream": _flag, "tools": _flag,
        "images": _flag, "tokens": _count, "max_output": _count, "tags": _texts,
        "headers": _mapping(_header), "user": _text_or_none, "principal": _text,
        "tier": _text_or_none, "forward": _flag, "provider": _text_or_none, "own_keys": _texts,
        "at": _moment,
    }
)  # fmt: skip
_NOW: Final[Mapping[str, _Check]] = MappingProxyType(
    {
        "left_out": _mapping(_one_of("code", CODES)), "fill": _mapping(_share),
        "balance": _energy, "health": _mapping(_health), "draw": _share, "kept": _text_or_none,
        "without_keys": _texts, "unconfigured": _flag,
    }
)  # fmt: skip
_PARTS: Final[Mapping[str, Mapping[str, _Check]]] = MappingProxyType(
    {"request": _REQUEST, "state": _NOW, "expect": dict.fromkeys(EXPECT, _anything)}
)
