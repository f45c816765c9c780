"""What targets would be sent, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wattline.engine.json_diff import Change
from wattline.service.explaining import RequestFound

SHOWN = 20
"""Changes of one request."""


def request_lines(found: Iterable[RequestFound]) -> Iterator[str]:
    """A title, and for each target its changes by JSON path."""
    every = list(found)
    if every:
        yield "requests"
    for one in every:
        yield from _request(one)


def _request(one: RequestFound) -> Iterator[str]:
    if one.why_not is not None:
        yield f"  {one.target}: not sent: {one.why_not}"
        return
    yield f"  {one.target}: {one.method} {one.path}"
    if one.rewritten is not None:
        fields = ", ".join(one.fields)
        yield f"    rewritten for dialect {one.rewritten}: {fields or 'no body'}"
    for change in one.changes[:SHOWN]:
        yield f"    {_change(change)}"
    if len(one.changes) > SHOWN:
        yield f"    and {len(one.changes) - SHOWN} more"
    if one.left_out:
        yield f"    left out, the provider has no counterpart: {', '.join(one.left_out)}"
    if one.note is not None:
        yield f"    {one.note}"


def _change(change: Change) -> str:
    if change.was is None:
        return f"+ {change.path}: {change.becomes}"
    if change.becomes is None:
        return f"- {change.path}: {change.was}"
    return f"~ {change.path}: {change.was} becomes {change.becomes}"
