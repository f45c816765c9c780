"""What is wrong with a file that is no YAML, in words for who wrote it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from yaml.error import MarkedYAMLError

_START: Final = re.compile(r"found character '(.+)' that cannot start any token")
_SEPARATOR: Final = re.compile(r"expected ',' or '([\]}])'")
_PRINTABLE: Final = re.compile(r"[ -~\u00a0-\ud7ff]*")
_KNOWN: Final = MappingProxyType(
    {
        "mapping values are not allowed here": "a ':' that has no place here: quote the text that holds it, "
        "or indent the line like its neighbours",
        "found unexpected end of stream": "the file ends within the quoted text that began {where}",
        "expected <block end>": "the line is not indented like what began {where}",
        "could not find expected ':'": "':' is missing behind the key {where}",
        "found unknown escape character": "a backslash in double quotes stands for another character: "
        "write two of them, or use single quotes",
        "expected the node content": "a value is missing here",
        "expected chomping or indentation": "text after | or > begins on the next line",
        "but found another document": "a second document begins here: a rules file is one, without ---",
    }
)
"""How PyYAML's problems begin, and what is said of them. `{where}`: where what is not complete began."""


def yaml_wording(error: MarkedYAMLError) -> str:
    """A line without a place of its own, which is the error's mark."""
    problem = error.problem or ""
    if start := _START.match(problem):
        return _wrong_start(start[1])
    where = f"on line {error.context_mark.line + 1}" if error.context_mark else "above"
    if separator := _SEPARATOR.match(problem):
        return f"',' or '{separator[1]}' is missing in what began {where}"
    for known, text in _KNOWN.items():
        if problem.startswith(known):
            return text.format(where=where)
    parts = [part for part in (error.context, error.problem) if part]
    text = f"no YAML: {': '.join(parts)}"
    return text if _PRINTABLE.fullmatch(text) else ascii(text)[1:-1]


def _wrong_start(char: str) -> str:
    if char in {"\t", "\\t"}:
        return "a tab: indent with spaces"
    shown = char if _PRINTABLE.fullmatch(char) else ascii(char)[1:-1]
    return f"text that begins with {shown} must be in quotes"
