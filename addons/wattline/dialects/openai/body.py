"""Writes the body for a target: edits in the client's own bytes, nothing built anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any

from wattline.base.json_members import Member, first_members
from wattline.dialects.splice import dumps, edit, edit_object, parts, value_of
from wattline.wire.call import Call, Operation

_TEXT = (Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES)

_SAMPLING = frozenset(
    {
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
    }
)
"""Fields that mean something only where text is written: elsewhere providers refuse them."""

_UNTOUCHED = (Operation.TRANSCRIPTION, Operation.LOOKUP)

_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""Three names of one thing."""

_LIMIT_NAME: Mapping[Operation, str] = MappingProxyType(
    {Operation.RESPONSES: "max_output_tokens", Operation.COMPLETION: "max_tokens"}
)
"""Where an operation knows only one of them."""

_NAMES_MODEL = re.compile(rb'[ \t\n\r]*\{[ \t\n\r]*"model"')
"""The usual first member."""


def write_body(
    body: bytes,
    call: Call,
    model: str,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> bytes:
    """`body` for a target that knows its model as `model`. An upload is given back as it is.

    `defaults` are added where the client set nothing: a limit of its own under any of its names counts
    as set. Raises OurFault when `body` is no JSON object.
    """
    if call.operation in _UNTOUCHED:
        return body
    asks = call.stream and not call.wants_usage and call.operation in _TEXT[:2]
    if not (asks or defaults or overrides) and model == call.model and _NAMES_MODEL.match(body):
        return body
    wanted = {"model", *overrides, *(("stream_options",) if asks else ())}
    if overrides:
        wanted.update(_LIMITS)
    present, found = first_members(body, wanted) or _all(body)
    if "model" not in present:
        present, found = _all(body)
    changes: dict[str, bytes | None] = {}
    for key, value in _added(call, present, defaults, overrides).items():
        changes[key] = dumps(value)
    for key, value in overrides.items():
        if key in _LIMITS:
            changes |= dict.fromkeys(_LIMITS)
        changes[_name(call, key)] = dumps(value)
    changes.pop("model", None)
    if model != call.model or "model" not in present:
        changes["model"] = dumps(model)
    if asks:
        changes["stream_options"] = _with_usage(body, found)
    return edit(body, changes, found)


def _all(body: bytes) -> tuple[set[str], list[Member]]:
    found = parts(body)
    return {member.key for member in found}, found


def _added(
    call: Call, present: AbstractSet[str], defaults: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    limited = any(name in present or name in overrides for name in _LIMITS)
    added: dict[str, Any] = {}
    for key, value in defaults.items():
        if key in _SAMPLING and call.operation not in _TEXT:
            continue
        taken = limited if key in _LIMITS else key in present
        if not taken:
            added[_name(call, key)] = value
    return added


def _name(call: Call, key: str) -> str:
    return _LIMIT_NAME.get(call.operation, key) if key in _LIMITS else key


def _with_usage(body: bytes, found: list[Member]) -> bytes:
    return edit_object(value_of(body, found, "stream_options"), {"include_usage": b"true"})
