"""The chat protocol's answers to operators, and to who wants to see figures as they change (B-186)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wattline.dialects.frames.asked import Name
from wattline.dialects.json_text import dumps

_MOMENT: Final = "timestamp"
"""When a page was made: it says nothing of what is in it."""


def providers(name: Name | None, page: Mapping[str, Any]) -> bytes:
    """`providers`: all of them."""
    return dumps(_named("providers", name) | {"providers": page.get("entries", [])})


def changed(name: Name | None, page: Mapping[str, Any]) -> bytes:
    """`providers.changed`: one that was switched off or on, as it is now."""
    return dumps(_named("providers.changed", name) | {"provider": page.get("provider")})


def stats(name: Name | None, usage: Mapping[str, Any], found: Sequence[Any]) -> bytes:
    """`stats`: what the caller's key used and may do, and how each provider is."""
    used = {member: value for member, value in usage.items() if member != _MOMENT}
    return dumps(_named("stats", name) | {"usage": used, "providers": found})


def stats_end(name: Name | None) -> bytes:
    """`stats.end`: no more of them."""
    return dumps(_named("stats.end", name))


def _named(kind: str, name: Name | None) -> dict[str, Any]:
    return {"type": kind} if name is None else {"type": kind, "requestId": name}
