"""A call of the past, rebuilt from what was written down of it (`engine.features`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from wattline.base.origin import Origin
from wattline.engine.plan import Plan, Skip
from wattline.rules.compiled.provider import Provider
from wattline.wire.call import Call, Operation, Principal

_OPERATIONS: Final = MappingProxyType({op.value: op for op in Operation})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_TAGS: Final[frozenset[str]] = frozenset()


class Features(msgspec.Struct, frozen=True, gc=False):
    """The object of a first attempt; see `engine.features`."""

    path: str = ""
    host: str = ""
    tokens: int = 0
    method: str = "POST"
    counted: bool = False
    tools: bool = False
    images: bool = False
    max_output: int | None = None
    tags: list[str] | None = None
    forward: bool = False
    provider: str | None = None
    user: str | None = None
    tier: str | None = None
    own: list[tuple[str, str]] | None = None
    position: int | None = None
    plan: list[str] | None = None
    skipped: list[list[str | float | None]] | None = None
    panic: bool = False
    passed: bool = False
    kept: bool | None = None
    draw: float | None = None
    headers: dict[str, str | bool | None] | None = None
    fill: dict[str, float] | None = None
    balance: dict[str, int | None] | None = None
    health: dict[str, tuple[str, int, float, float, float | None]] | None = None
    missed: list[list[str]] | None = None


A_CONVERSATION: Final = "?"
"""In place of what told a conversation from others."""
NO_FEATURES: Final = Features()
_decode = msgspec.json.Decoder(Features).decode


def read_features(text: str | bytes) -> Features:
    """What was written; `NO_FEATURES` for what is no such object. Never raises."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return NO_FEATURES


class Known(NamedTuple):
    """The columns of a row that a call is rebuilt from."""

    call: str
    principal: str
    requested: str
    dialect: str
    operation: str
    stream: bool


def rebuilt(row: Known, found: Features, providers: Mapping[str, Provider]) -> Call | None:
    """The call as rules see it; None when its operation or its path is not known. Own keys of the caller count
    where `providers` still have the origin that they are for.
    """
    operation = _OPERATIONS.get(row.operation)
    if operation is None or found is NO_FEATURES or not found.path:
        return None
    own: frozenset[tuple[str, Origin]] = frozenset()
    if found.own:
        own = frozenset(
            (name, providers[name].origin)
            for name, origin in found.own
            if name in providers and str(providers[name].origin) == origin
        )
    return Call(
        row.call,
        row.dialect,
        operation,
        found.method,
        found.host,
        found.path,
        row.requested,
        row.stream,
        Principal(row.principal, found.tier, found.user, providers=own),
        _headers(found.headers) if found.headers else _NO_HEADERS,
        found.tokens,
        found.max_output,
        found.tools,
        found.images,
        found.user,
        frozenset(found.tags) if found.tags else _NO_TAGS,
        forward=found.forward,
        provider=found.provider,
        counted=found.counted,
        conversation=None if found.kept is None else A_CONVERSATION,
    )


def _headers(found: Mapping[str, str | bool | None]) -> dict[str, str]:
    return {name: value for name, value in found.items() if isinstance(value, str)}


class Left(NamedTuple):
    """A target that was left out then: its code, the seconds that it had to wait (None: not known), and whether for
    a rate limit.
    """

    code: str
    wait: float | None = None
    limited: bool = False


OWN_KEY: Final = "own_key"
"""The code of a target whose caller's own key did not open."""


def with_keys_of_then(plan: Plan, call: Call, found: Features) -> Plan:
    """The plan without targets that the caller's own key was for, where that did not open then: nobody else's key
    took its place.
    """
    if not found.own or not found.skipped:
        return plan
    left = skipped_of(found)
    closed = {name.partition("/")[0] for name, one in left.items() if one.code == OWN_KEY}
    out = [
        target
        for target in plan.targets
        if target.provider.name in closed and target.provider.owned_by(call.principal)
    ]
    if not out:
        return plan
    skipped = [Skip(str(target), OWN_KEY, "the caller's own key did not open") for target in out]
    return replace(
        plan,
        targets=tuple(target for target in plan.targets if target not in out),
        skipped=(*plan.skipped, *skipped),
    )


def skipped_of(found: Features) -> dict[str, Left]:
    """The targets that were left out, by name."""
    left: dict[str, Left] = {}
    for item in found.skipped or ():
        match item:
            case [str() as target, str() as code, *rest]:
                wait = rest[0] if rest and isinstance(rest[0], float | int) else None
                left[target] = Left(code, wait, len(rest) > 1 and bool(rest[1]))
    return left
