"""Edits of a JSON object's members in its bytes; whatever is not edited stays byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wattline.base.errors import OurFault
from wattline.base.json_members import Member, members

Changes = Mapping[str, bytes | None]
"""Key to the JSON of its new value; None takes the member away."""

dumps = msgspec.json.encode


def parts(raw: bytes) -> list[Member]:
    """The members of an object that was read before. Raises OurFault: then it was not."""
    found = members(raw)
    if found is None:
        raise OurFault("A JSON object that had been read could not be edited.")
    return found


def value_of(raw: bytes, found: Iterable[Member], key: str) -> bytes | None:
    """The bytes of a member's value. With duplicates the last, as parsers take it."""
    value = None
    for member in found:
        if member.key == key:
            value = raw[member.start : member.end]
    return value


def edit(raw: bytes, changes: Changes, found: list[Member] | None = None) -> bytes:
    """`raw` with its top-level members replaced, taken away, or added at its end.

    A key that stands twice is edited at its first place and taken away at the others. `found` may end
    before the last member if it holds all that change and one that stays.
    """
    if found is None:
        found = parts(raw)
    if not changes:
        return raw
    left = dict(changes)
    head = raw[: found[0].at] if found else raw[: raw.index(b"{") + 1]
    out = [head]
    for index, member in enumerate(found):
        if member.key not in changes:
            text = raw[member.at : member.end]
        elif (new := left.pop(member.key, None)) is not None:
            text = raw[member.at : member.start] + new
        else:
            continue
        if len(out) > 1:
            out.append(raw[found[index - 1].end : member.at])
        out.append(text)
    rest = raw[found[-1].end :] if found else raw[len(head) :]
    last = len(rest[: rest.rindex(b"}")].rstrip())  # members that `found` leaves out stay before it
    out.append(rest[:last])
    for key, value in left.items():
        if value is not None:
            out.append((b"," if len(out) > 2 else b"") + dumps(key) + b":" + value)
    out.append(rest[last:])
    return b"".join(out)


def edit_object(raw: bytes | None, changes: Changes) -> bytes:
    """Like `edit` for a value that may be missing or no object: then the changes are all of it."""
    found = None if raw is None else members(raw)
    if raw is None or found is None:
        return edit(b"{}", changes)
    return edit(raw, changes, found)
