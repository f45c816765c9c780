"""A value that an option does not take: the option, the value, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wattline.cli.failure import USAGE, Failure

_SHOWN = 80


def wrong_value(option: str, value: str, text: str) -> Failure:
    """`--since: 'x' is no span of time: …`, of which `text` is what follows the value."""
    return Failure(f"{option}: {shown(value)} {text}", USAGE)


def none_of(option: str, value: str, words: Sequence[str]) -> Failure:
    """For a value that is none of some words."""
    return wrong_value(option, value, _none(value, words))


def shown(value: str) -> str:
    """A value as it is repeated: quoted, and not longer than a line."""
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")


def reword(error: Any) -> None:
    """Say in our own words what the library for options says in those of the library below it."""
    problems = getattr(error.__cause__, "errors", None)
    if problems is None or (param := error.param) is None:
        return
    value = str(problems()[0].get("input", ""))
    kind = param.type_descriptor.annotation
    if words := [str(word.value) for word in getattr(kind, "__members__", {}).values()]:
        error.message = f"{shown(value)} {_none(value, words)}"
    elif (number := {int: "whole number", float: "number"}.get(kind)) is not None:
        error.message = f"{shown(value)} is no {number}{_range(param)}"


def _none(value: str, words: Sequence[str]) -> str:
    from wattline.rules.problems import nearest

    meant = nearest(value, words)
    return f"is none of {', '.join(words)}" + (f". Did you mean {meant!r}?" if meant else "")


def _range(param: Any) -> str:
    least, most = param.min, param.max
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of {least} or more" if least is not None else ""
