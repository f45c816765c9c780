"""What is limited at the door: the environment's limits, and who may call from a browser.

The environment's are those of other gateways, in milliseconds or with a unit, and never there by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from wattline.rules.compiled.entrance import Cors, Limits
from wattline.rules.compiled.provider import Timeouts
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.rules.fields import read_duration
from wattline.rules.origins import ANY_ORIGIN
from wattline.rules.report import Report
from wattline.rules.shapes.entrance import CorsShape

MAX_REQUESTS = "RATE_LIMIT_MAX_REQUESTS"
WINDOW_MS = "RATE_LIMIT_WINDOW_MS"
MAX_PER_CALLER = "RATE_LIMIT_MAX"
WINDOW_PER_CALLER = "RATE_LIMIT_WINDOW"
CONCURRENT = "MAX_CONCURRENT_REQUESTS"
TIMEOUT = "REQUEST_TIMEOUT"
UPSTREAM_TIMEOUT = "UPSTREAM_TIMEOUT_MS"
USUAL_REQUESTS = 100
USUAL_PERIOD = 900.0
_LONGEST_MS = 366 * 86_400_000
_DAY_MS = 86_400_000
_MOST = 1_000_000_000


class Environment:
    """Reads numbers; what is none is a problem of the report."""

    def __init__(self, env: Mapping[str, str], report: Report) -> None:
        self._env = env
        self._report = report

    def number(self, name: str, most: int) -> int | None:
        """A whole number from 1 to `most`; None when it is not set, or wrong and reported."""
        text = self._text(name)
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) < 16 and 1 <= int(text) <= most:
            return int(text)
        self._wrong(name, text, f"a whole number from 1 to {most}")
        return None

    def duration(self, name: str) -> float | None:
        """Seconds of a text such as `15m`."""
        text = self._text(name)
        if not text:
            return None
        try:
            return read_duration(text)
        except ValueError:
            self._wrong(name, text, "a number with its unit, such as 15m or 900s")
            return None

    def given(self, *names: str) -> bool:
        """One of them is set."""
        return any(map(self._text, names))

    def _text(self, name: str) -> str:
        return self._env.get(name, "").strip()

    def _wrong(self, name: str, text: str, wanted: str) -> None:
        text = text[:40]
        self._report.outside(f"{name} in the environment is {text!r}; it must be {wanted}")


def environment_windows(env: Mapping[str, str], report: Report) -> tuple[Window, ...]:
    """Windows over all requests, by address (D-025, D-026) and by caller (E-023), where they are set."""
    return tuple(_windows(Environment(env, report)))


def _windows(env: Environment) -> Iterator[Window]:
    # Names with a space: no window of the file can have one.
    if env.given(MAX_REQUESTS, WINDOW_MS):
        most = env.number(MAX_REQUESTS, _MOST) or USUAL_REQUESTS
        period = env.number(WINDOW_MS, _LONGEST_MS)
        per = USUAL_PERIOD if period is None else period / 1000
        name = f"{MAX_REQUESTS} of the environment"
        yield Window(name, per, most, scope=Scope.ADDRESS, over=Over.REQUESTS)
    if env.given(MAX_PER_CALLER, WINDOW_PER_CALLER):
        most = env.number(MAX_PER_CALLER, _MOST) or USUAL_REQUESTS
        per = env.duration(WINDOW_PER_CALLER) or USUAL_PERIOD
        name = f"{MAX_PER_CALLER} of the environment"
        yield Window(name, per, most, scope=Scope.PRINCIPAL, over=Over.REQUESTS)


def environment_limits(limits: Limits, env: Mapping[str, str], report: Report) -> Limits:
    """The file's limits with the environment's in their place (D-029, D-030)."""
    read: Callable[[str, int], int | None] = Environment(env, report).number
    concurrent, milliseconds = read(CONCURRENT, _MOST), read(TIMEOUT, _DAY_MS)
    if concurrent is not None:
        limits = replace(limits, concurrent=concurrent)
    if milliseconds is not None:
        limits = replace(limits, deadline=milliseconds / 1000)
    return limits


def environment_timeouts(env: Mapping[str, str], report: Report) -> Timeouts:
    """The times of providers that say nothing of their own: the environment's is for an answer's head (B-148). Where it
    is longer than the usual time for all of an attempt, that grows with it.
    """
    usual = Timeouts()
    milliseconds = Environment(env, report).number(UPSTREAM_TIMEOUT, _DAY_MS)
    if milliseconds is None:
        return usual
    seconds = milliseconds / 1000
    return replace(usual, first_byte=seconds, total=max(seconds, usual.total))


def compile_cors(shape: CorsShape, mode: str, report: Report) -> Cors | None:
    """Which pages may call; None: none. `*` in open mode is refused: any page that somebody on this machine looks at
    could spend the keys of the providers, and needs none of its own.
    """
    anybody = ANY_ORIGIN in shape.origins
    if anybody and mode == "open":
        report.wrong(
            ("cors", "origins", shape.origins.index(ANY_ORIGIN)),
            "`*` lets every web page call, and `auth: {mode: open}` asks for no key: list the origins of "
            "your pages, or use `auth: {mode: keys}`",
        )
    if not shape.origins:
        return None
    listed = frozenset(shape.origins) - {ANY_ORIGIN}
    return Cors(listed, anybody, shape.credentials, shape.max_age)
