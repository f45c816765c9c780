"""How the demo provider behaves: delays, pace, and how often it fails by chance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Self

LIMITS: Mapping[str, tuple[float, float]] = {
    "base_delay_ms": (0, 600_000),
    "delay_variance_ms": (0, 600_000),
    "error_rate": (0, 1),
    "timeout_rate": (0, 1),
    "token_speed": (0.1, 1_000_000),
}
"""Lowest and highest value of each number."""

VARIABLES: Mapping[str, str] = {
    "MOCK_BASE_DELAY": "base_delay_ms",
    "MOCK_DELAY_VARIANCE": "delay_variance_ms",
    "MOCK_ERROR_RATE": "error_rate",
    "MOCK_TIMEOUT_RATE": "timeout_rate",
    "MOCK_TOKEN_SPEED": "token_speed",
    "MOCK_ENABLE_LOGS": "logs",
}

_SWITCHES = {"true": True, "1": True, "yes": True, "on": True}
_SWITCHES |= {"false": False, "0": False, "no": False, "off": False}
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?", re.ASCII)
_SHOWN = 40
"""No more of a refused value than this is repeated in an error."""


class KnobError(ValueError):
    """A knob can't be set so; the message names it, its value and what it takes. `name` is the knob
    or the environment variable.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Knobs:
    """One setting of all knobs. Raises KnobError when a value is out of its range."""

    base_delay_ms: float = 200
    """Milliseconds before the head of an answer."""
    delay_variance_ms: float = 100
    """That delay is drawn evenly from this much less to this much more."""
    error_rate: float = 0.15
    """Part of the calls that get a 429, 500, 502 or 503 (what timeouts leave, if the sum is > 1)."""
    timeout_rate: float = 0.05
    """Part of the calls that never get an answer."""
    token_speed: float = 25
    """Tokens a second."""
    logs: bool = True
    """One log line for each request, without its content."""

    def __post_init__(self) -> None:
        for name in LIMITS:
            _check_number(name, getattr(self, name))
        if not isinstance(self.logs, bool):
            raise KnobError("logs", f"logs is {_show(self.logs)}; it must be true or false")

    @classmethod
    def demo(cls, env: Mapping[str, str] | None = None) -> Self:
        """The pleasant setting: nothing fails, little delay, 200 tokens a second; `env` has the last
        word.
        """
        pleasant = cls(
            base_delay_ms=20,
            delay_variance_ms=0,
            error_rate=0,
            timeout_rate=0,
            token_speed=200,
        )
        return cls.from_env(env or {}, base=pleasant)

    @classmethod
    def instant(cls) -> Self:
        """Nothing fails and nothing waits: for tests."""
        return cls(
            base_delay_ms=0,
            delay_variance_ms=0,
            error_rate=0,
            timeout_rate=0,
            token_speed=LIMITS["token_speed"][1],
            logs=False,
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, base: Self | None = None) -> Self:
        """`base` (or the defaults) changed by the `MOCK_*` variables that are set and not empty."""
        values: dict[str, Any] = {}
        for variable, name in VARIABLES.items():
            if text := env.get(variable, "").strip():
                values[name] = _read(variable, name, text)
        return replace(base or cls(), **values)

    def changed(self, values: object) -> Self:
        """These knobs with some of them set anew, as read from JSON."""
        if not isinstance(values, dict):
            raise KnobError("", f"knobs must be a JSON object, such as {{{_example()}}}")
        for name in values:
            if name not in _NAMES:
                raise KnobError(_show(name).strip("'"), _unknown(name))
        return replace(self, **values)

    def as_dict(self) -> dict[str, Any]:
        """All knobs, for JSON."""
        return asdict(self)


_NAMES = tuple(field.name for field in fields(Knobs))


def _read(variable: str, name: str, text: str) -> float | bool:
    if name == "logs":
        if (switch := _SWITCHES.get(text.lower())) is None:
            raise KnobError(variable, f"{variable} is {_show(text)}; it must be true or false")
        return switch
    low, high = LIMITS[name]
    if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
        wanted = f"a number from {low:g} to {high:g}"
        raise KnobError(variable, f"{variable} is {_show(text)}; it must be {wanted}")
    return float(text)


def _check_number(name: str, value: object) -> None:
    low, high = LIMITS[name]
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        wanted = f"a number from {low:g} to {high:g}"
        raise KnobError(name, f"{name} is {_show(value)}; it must be {wanted}")


def _unknown(name: object) -> str:
    near = get_close_matches(str(name)[:_SHOWN], _NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the knobs are {', '.join(_NAMES)}"
    return f"there is no knob {_show(name)}; {hint}"


def _example() -> str:
    return '"error_rate": 0.5'


def _show(value: object) -> str:
    shown = repr(value) if not isinstance(value, int) or abs(value) < 10**15 else "a huge number"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
