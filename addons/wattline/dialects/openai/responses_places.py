"""Puts extras that have a place back there: `input[3] (computer_call)`, `tools[0].async`.

Such names are what `responses_input` and `responses_prompt` give to what has no neutral form. Those of
other dialects look alike, so that only what the Responses API itself has is put anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_NAME = re.compile(
    r"(?P<root>input|tools)\[(?P<index>\d{1,9})\]"
    r"(?:\.(?P<member>\w+)(?:\[(?P<inner>\d{1,9})\])?)?"
    r"(?: \((?P<kind>[^)]*)\))?"
)

_HOSTED = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "custom",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
_TOOL_FIELDS = frozenset({"allowed_callers", "async", "defer_loading", "output_schema"})
_CALLERS = ("direct", "programmatic")


class _Place(NamedTuple):
    root: str
    position: int
    member: str | None
    inner: int | None


def own_choice(value: Any) -> bool:
    """Whether this is a `tool_choice` of the Responses API: chat nests it below its type's name."""
    return isinstance(value, dict) and value.get("type") not in value


def put_back(body: dict[str, Any], extras: Mapping[str, Any], shift: int) -> list[str]:
    """Put what has a place into `body`; gives the names of what has none. `shift` is how many items
    stand before those that the client counted.
    """
    left: list[str] = []
    whole: dict[str, dict[int, Any]] = {}
    below: list[tuple[str, _Place, Any]] = []
    for name, value in extras.items():
        place = _place(name, value, shift)
        if place is None:
            left.append(name)
        elif place.member is None:
            whole.setdefault(place.root, {})[place.position] = value
        else:
            below.append((name, place, value))
    for root, values in whole.items():
        body[root] = _merged(body.get(root, []), values)
    return left + _put_below(body, below)


def _place(name: str, value: Any, shift: int) -> _Place | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    root, member, inner = found["root"], found["member"], found["inner"]
    if (member is None or inner is not None) != (found["kind"] is not None):
        return None
    if root == "tools" and not _known(member, value):
        return None
    index = int(found["index"]) + (shift if root == "input" else 0)
    return _Place(root, index, member, None if inner is None else int(inner))


def _known(member: str | None, value: Any) -> bool:
    """Whether a tool, or a tool's member, is one that the Responses API has."""
    if member == "allowed_callers":
        return isinstance(value, list) and all(one in _CALLERS for one in value)
    if member is not None:
        return member in _TOOL_FIELDS
    return own_choice(value) and value.get("type") in _HOSTED


def _merged(known: list[Any], values: Mapping[int, Any]) -> list[Any]:
    """`known` with each of `values` at its index, or at the end."""
    waiting = sorted(values, reverse=True)
    merged: list[Any] = []
    for item in known:
        while waiting and waiting[-1] <= len(merged):
            merged.append(values[waiting.pop()])
        merged.append(item)
    return merged + [values[index] for index in reversed(waiting)]


def _put_below(body: dict[str, Any], below: list[tuple[str, _Place, Any]]) -> list[str]:
    left: list[str] = []
    parts: dict[tuple[int, str], dict[int, Any]] = {}
    for name, place, value in below:
        items = body.get(place.root, [])
        if place.position >= len(items) or not _fits(items[place.position], place):
            left.append(name)
        elif place.inner is None:
            items[place.position][place.member] = value
        elif place.member in ("content", "output") and place.member in items[place.position]:
            parts.setdefault((place.position, place.member), {})[place.inner] = value
        else:
            left.append(name)
    for (index, member), values in parts.items():
        item = body["input"][index]
        item[member] = _merged(_listed(item[member]), values)
    return left


def _fits(item: dict[str, Any], place: _Place) -> bool:
    return place.member != "phase" or item.get("role") == "assistant"


def _listed(content: Any) -> list[Any]:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else list(content)
