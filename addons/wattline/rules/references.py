"""`${NAME}` references to the environment: the only way a secret gets into the rules.

`${A}` is the variable A; `${A|B}` the first of them that is set; `${A:-text}` A, or this text. A
variable that is empty or blank counts as not set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(rf"\$\{{(?P<names>{_NAME}(?:\|{_NAME})*)(?::-(?P<default>[^{{}}$]*))?\}}")
_NAME_ALONE = re.compile(_NAME)
HINT = "write ${NAME}, ${NAME|OTHER} or ${NAME:-text}"


class BadReference(ValueError):
    """Not a reference; the text says how one is written and never repeats the value."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Variables in the order in which they are asked, and what stands in for all of them."""

    names: tuple[str, ...]
    default: str | None = None

    def read(self, env: Mapping[str, str]) -> str | None:
        """The value; None when nothing is set and there is no default."""
        for name in self.names:
            if value := env.get(name, "").strip():
                return value
        return self.default


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text with references in it."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """What it draws on, in order."""
        return tuple(part for part in self.parts if isinstance(part, Reference))


@dataclass(frozen=True, slots=True)
class Filled:
    """A template with its values. `missing` names what was not set (then `text` is None); `names` what
    the text was drawn from.
    """

    text: str | None = field(repr=False)
    missing: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def is_name(text: str) -> bool:
    """The text can be the name of an environment variable."""
    return _NAME_ALONE.fullmatch(text) is not None


def read_template(text: str) -> Template:
    """Raises BadReference."""
    parts: list[str | Reference] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(Reference(tuple(match["names"].split("|")), match["default"]))
        end = match.end()
    parts.append(text[end:])
    if any("${" in part for part in parts if isinstance(part, str)):
        raise BadReference(f"a reference that can't be read: {HINT}")
    return Template(tuple(part for part in parts if part != ""))


def read_secret(text: str) -> Reference:
    """One reference and nothing else, without a default. Raises BadReference."""
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise BadReference(
            "a secret is never written into this file: "
            "put it into an environment variable and write ${ITS_NAME} here"
        )
    if match["default"] is not None:
        raise BadReference("a secret has no default: write ${NAME} or ${NAME|OTHER}")
    return Reference(tuple(match["names"].split("|")))


def fill(template: Template, env: Mapping[str, str], *, slashes: bool = False) -> Filled:
    """Put the values in. With `slashes`, values lose the slashes at their end, so that
    `${BASE}/v1` is right for both ways of writing BASE.
    """
    texts: list[str] = []
    missing: list[str] = []
    for part in template.parts:
        value = part.read(env) if isinstance(part, Reference) else part
        if value is None:
            missing.append(" or ".join(part.names) if isinstance(part, Reference) else "")
        else:
            texts.append(value.rstrip("/") if slashes and isinstance(part, Reference) else value)
    names = tuple(name for reference in template.references for name in reference.names)
    return Filled(None if missing else "".join(texts), tuple(missing), names)
