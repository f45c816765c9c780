"""What a request meant, whatever its dialect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class Wrong(Exception):
    """The provider would refuse this request."""


@dataclass
class Meaning:
    """A request as its provider understands it.

    `turns` are (role, items); an item is ("text", text), ("image", base64), ("call", name, arguments),
    ("result", name or None, text) or ("thought", text, signature).
    """

    model: str
    stream: bool
    system: str = ""
    turns: list[tuple[str, list[tuple]]] = field(default_factory=list)
    tools: dict[str, Any] = field(default_factory=dict)
    choice: str | None = None
    schema: Any = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    thinks: bool = False
    n: int = 1

    def items(self, kind: str) -> list[tuple]:
        """All items of a kind, in order."""
        return [item for _, items in self.turns for item in items if item[0] == kind]


def need(holds: object, why: str) -> None:
    """Raise Wrong when a rule does not hold."""
    if not holds:
        raise Wrong(why)


def only(value: Any, at: str, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Any]:
    """An object with no members but these. Raises Wrong."""
    need(isinstance(value, dict), f"{at} must be an object, it is {value!r:.80}")
    unknown, missing = set(value) - set(known) - set(required), set(required) - set(value)
    need(not unknown, f"{at} has unknown fields: {sorted(unknown)}")
    need(not missing, f"{at} lacks {sorted(missing)}")
    return value


def of(value: dict[str, Any], key: str, kinds: type | tuple[type, ...], at: str) -> Any:
    """A member that, when it is there, must be of these types. Raises Wrong."""
    found = value.get(key)
    if key in value:
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        boolean = isinstance(found, bool) and bool not in kinds
        need(isinstance(found, kinds) and not boolean, f"{at}.{key} is {found!r:.80}")
    return found


def within(value: dict[str, Any], key: str, low: float, high: float, at: str) -> Any:
    """A number between two bounds. Raises Wrong."""
    found = of(value, key, (int, float), at)
    if found is not None:
        need(low <= found <= high, f"{at}.{key} is {found}, not in {low}..{high}")
    return found


def closed(schema: Any, at: str) -> None:
    """Every object in a schema says `additionalProperties: false`. Raises Wrong."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            need(
                schema.get("additionalProperties") is False,
                f"{at}: additionalProperties must be false",
            )
        for key, inner in schema.items():
            closed(inner, f"{at}.{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            closed(inner, f"{at}[{index}]")
