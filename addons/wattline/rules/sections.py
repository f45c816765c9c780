"""The file's parts, each validated alone, so that one mistake hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wattline.rules.problems import unknown
from wattline.rules.report import Report
from wattline.rules.schema import RulesShape
from wattline.rules.shapes.model import ModelShape
from wattline.rules.shapes.provider import ProviderShape
from wattline.rules.shapes.rule import RuleShape
from wattline.rules.shapes.window import WindowShape
from wattline.rules.tree import Path
from wattline.rules.wording import message

NAMED = ("providers", "models", "windows")
"""Sections that map names to one shape."""
_KEY = "[key]"
"""How pydantic says that a key is at fault, not its value."""
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(part.rebuild_annotation()) for name, part in RulesShape.model_fields.items()
}


@dataclass(slots=True)
class Sections:
    """What could be read. A part with a mistake is missing here; `names` has the names of all, so that
    a reference to a part with a mistake is not a second mistake. Rules go by their place in the file.
    """

    single: dict[str, Any] = field(default_factory=dict)
    providers: dict[str, ProviderShape] = field(default_factory=dict)
    models: dict[str, ModelShape] = field(default_factory=dict)
    windows: dict[str, WindowShape] = field(default_factory=dict)
    rules: dict[int, RuleShape] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)

    def part[S](self, name: str, default: Callable[[], S]) -> S:
        """A section that is one shape; what is not there is as its defaults say."""
        found: S = self.single[name] if name in self.single else default()
        return found


def read_sections(report: Report) -> Sections:
    """Validate every part; mistakes go to the report."""
    sections = Sections(names=dict.fromkeys(NAMED, frozenset()))
    value = report.tree.value
    if not isinstance(value, dict):
        report.wrong((), "the file must be a mapping (`name: value` lines)")
        return sections
    for name in value:
        if name not in RulesShape.model_fields:
            report.wrong((name,), unknown("key", name, RulesShape.model_fields), key=True)
    for name, part in RulesShape.model_fields.items():
        if name in value:
            _read_section(name, value[name], sections, report)
        elif part.is_required():
            report.wrong((), f"`{name}` is missing: is the file complete?")
    return sections


def _read_section(name: str, value: Any, sections: Sections, report: Report) -> None:
    if name in NAMED and isinstance(value, dict):
        sections.names[name] = frozenset(value)
        into: dict[str, Any] = getattr(sections, name)
        for key, item in value.items():
            for read in _valid(name, {key: item}, report):
                into.update(read)
    elif name == "rules" and isinstance(value, list) and value:
        for index, item in enumerate(value):
            for read in _valid(name, [item], report, index):
                sections.rules[index] = read[0]
    else:
        for read in _valid(name, value, report):
            sections.single[name] = read


def _valid(name: str, value: Any, report: Report, index: int | None = None) -> Iterator[Any]:
    """The value as its shape has it. With mistakes in it they are reported, and what is left without
    them is given, so that its references are checked too; nothing when that can't stand alone.
    """
    try:
        yield _ADAPTERS[name].validate_python(value)
    except ValidationError as error:
        shape = RulesShape.model_fields[name].annotation
        rest: Any = value
        for one in error.errors(include_url=False):
            loc = one["loc"] if index is None else (index, *one["loc"][1:])
            path: Path = (name, *(part for part in loc if part != _KEY))
            at_key = _KEY in loc or one["type"] == "extra_forbidden"
            report.wrong(path, message(one, shape), key=at_key)
            rest = _without(rest, one["loc"])
    else:
        return
    with suppress(ValidationError):
        yield _ADAPTERS[name].validate_python(rest)


def _without(value: Any, loc: Sequence[int | str]) -> Any:
    """A copy without what stands at a place (parts of the place that are not there don't count)."""
    if not loc:
        return value
    part, *rest = loc
    if isinstance(value, dict) and part in value:
        if any(_has(value[part], other) for other in rest):
            return {**value, part: _without(value[part], rest)}
        return {key: item for key, item in value.items() if key != part}
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return [*value[:part], _without(value[part], rest), *value[part + 1 :]]
    return _without(value, rest)


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)
