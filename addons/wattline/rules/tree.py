"""YAML as the rules file may use it: plain values with the place of each, and nothing else of YAML.

No anchors, aliases, tags, merge keys or duplicate keys. Plain words are text unless they are exactly
`true`, `false`, `null`, or a decimal number as JSON writes it: `yes`, `010`, `12:30` and dates stay
text. The pure loader is used: libyaml's crashes on deep nesting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from wattline.rules.problems import Problem, RulesError
from wattline.rules.yaml_wording import yaml_wording

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 50_000

type Key = str | int
type Mark = yaml.error.Mark | Any
"""Where something stands: 0-based `line` and `column`."""
type Path = tuple[Key, ...]

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "True": True,
    "false": False,
    "False": False,
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?")


class _TooMuch(Exception):
    """The document is deeper or larger than any rules file."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


class _Composer(yaml.SafeLoader):
    """Builds nodes; notes what is not allowed and goes on."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: list[tuple[Mark, str]] = []
        self._depth = 0
        self._nodes = 0

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:  # noqa: ARG002  (PyYAML's signature)
        """Every node is untyped: `_plain` decides, not YAML 1.1."""
        return ""

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        """Nothing is resolved by path."""

    def ascend_resolver(self) -> None:
        """Nothing is resolved by path."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """One node, bounded in depth and number."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooMuch(f"more than {MAX_NODES} values", event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            self.refused.append((event.start_mark, "aliases (*name) are not allowed: write it out"))
            self.get_event()  # type: ignore[no-untyped-call]
            return ScalarNode("", "", event.start_mark, event.end_mark)  # type: ignore[arg-type]
        self._refuse_decorations(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuch(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        event.anchor = None
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse_decorations(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self.refused.append((event.start_mark, "anchors (&name) are not allowed: write it out"))
        if getattr(event, "tag", None) is not None:
            self.refused.append((event.start_mark, "tags (!name) are not allowed: quote text"))


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed file: `value` is plain Python, `node` knows where each part stands."""

    name: str
    text: str
    value: Any
    node: Node

    def problem(self, path: Sequence[Key], message: str, *, key: bool = False) -> Problem:
        """A problem at a path; parts of the path that the file does not have are left out. With `key`
        the place is that of the last key, not of its value.
        """
        real, mark = self._find(path, key=key)
        return Problem(self.name, mark.line + 1, mark.column + 1, render(real), message)

    def line(self, path: Sequence[Key]) -> int:
        """The 1-based line of a path."""
        return int(self._find(path, key=False)[1].line) + 1

    def _find(self, path: Sequence[Key], *, key: bool) -> tuple[Path, Mark]:
        node, mark, real = self.node, self.node.start_mark, []
        for part in path:
            if (child := _child(node, part)) is None:
                continue
            label, node = child
            real.append(part)
            scalar = isinstance(node, ScalarNode) and (node.value or node.style)
            mark = node.start_mark if label is None or (scalar and not key) else label.start_mark
        return tuple(real), mark


def parse(text: str | bytes, name: str) -> Tree:
    """Raises RulesError."""
    decoded = _decode(text, name)
    try:
        composer = _Composer(decoded)
        node = composer.get_single_node()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _error(name, mark, yaml_wording(error)) from None
    except _TooMuch as error:
        raise _error(name, error.mark, error.message) from None
    except ReaderError as error:
        line = decoded.count("\n", 0, error.position)
        column = error.position - (decoded.rfind("\n", 0, error.position) + 1)
        message = "a character that YAML does not allow here: is this a text file?"
        raise RulesError([Problem(name, line + 1, column + 1, "", message)]) from None
    if node is None:
        raise RulesError([Problem(name, 1, 1, "", "the file is empty")])
    problems = [_problem(name, mark, (), message) for mark, message in composer.refused]
    value = _construct(node, (), name, problems)
    if problems:
        raise RulesError(problems)
    return Tree(name, decoded, value, node)


def render(path: Sequence[Key]) -> str:
    """`rules[1].try[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _decode(text: str | bytes, name: str) -> str:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        raise RulesError([Problem(name, 1, 1, "", f"the file is larger than {MAX_BYTES} bytes")])
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RulesError([Problem(name, line, 1, "", "the file is not UTF-8 text")]) from None


def _error(name: str, mark: Mark | None, message: str) -> RulesError:
    return RulesError([_problem(name, mark, (), message)])


def _problem(name: str, mark: Mark | None, path: Path, message: str) -> Problem:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Problem(name, line, column, render(path), message)


def _child(node: Node, part: Key) -> tuple[Node | None, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == part:
                return key, value
    return None


def _construct(node: Node, path: Path, name: str, problems: list[Problem]) -> Any:
    if isinstance(node, ScalarNode):
        return _plain(node.value) if node.style is None else node.value
    if isinstance(node, SequenceNode):
        return [_construct(item, (*path, i), name, problems) for i, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    seen: dict[str, int] = {}
    for key, value in node.value:
        mark = key.start_mark
        if not isinstance(key, ScalarNode):
            problems.append(_problem(name, mark, path, "a key must be text"))
        elif key.value == "<<" and key.style is None:
            problems.append(_problem(name, mark, path, "merge keys (<<) are not allowed"))
        elif key.value in seen:
            message = f"duplicate key {key.value!r}: it is on line {seen[key.value]} already"
            problems.append(_problem(name, mark, path, message))
        else:
            seen[key.value] = mark.line + 1
            result[key.value] = _construct(value, (*path, key.value), name, problems)
    return result


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
