"""Writes the body for a target: edits in the client's own bytes, nothing built anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any

from wattline.base.json_members import Member, first_members
from wattline.dialects.splice import dumps, edit, parts
from wattline.wire.call import Call, Operation

DEFAULT_LIMIT = 4096
"""`max_tokens` where neither the client nor the rules set one (E-060): Anthropic requires it."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "max_completion_tokens": "max_tokens",
        "max_output_tokens": "max_tokens",
        "stop": "stop_sequences",
    }
)
"""What rules may call a field in OpenAI's words."""

_UNKNOWN = frozenset({"seed", "presence_penalty", "frequency_penalty", "n", "stream_options"})
"""OpenAI's fields that rules may set as defaults and that Anthropic refuses."""

_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Not added where the client asks for thinking: Anthropic refuses that."""

_WRITING = _SAMPLING | {"max_tokens", "stop_sequences", "stream", "metadata", "service_tier"}
"""Fields that counting tokens does not take."""


def write_body(
    body: bytes,
    call: Call,
    model: str,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> bytes:
    """`body` for a target that knows its model as `model`; `defaults` are added where the client set
    nothing. Raises OurFault when `body` is no JSON object.
    """
    added, fixed = _named(call, defaults), _named(call, overrides)
    if call.operation is Operation.CHAT:
        added.setdefault("max_tokens", DEFAULT_LIMIT)
    present, found = first_members(body, {"model", *fixed}) or _all(body)
    if "model" not in present:
        present, found = _all(body)
    if "thinking" in present:
        added = {key: value for key, value in added.items() if key not in _SAMPLING}
    changes: dict[str, bytes | None] = {
        key: dumps(value) for key, value in added.items() if key not in present
    }
    changes |= {key: dumps(value) for key, value in fixed.items()}
    if model != call.model or "model" not in present:
        changes["model"] = dumps(model)
    return edit(body, changes, found)


def _all(body: bytes) -> tuple[AbstractSet[str], list[Member]]:
    found = parts(body)
    return {member.key for member in found}, found


def _named(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Rules' fields under Anthropic's names, those that the operation takes."""
    left_out: Iterable[str] = _WRITING if call.operation is Operation.COUNT_TOKENS else ()
    named: dict[str, Any] = {}
    for key, value in fields.items():
        name = _NAMES.get(key, key)
        if name == "model" or name in _UNKNOWN or name in left_out:
            continue
        named[name] = [value] if name == "stop_sequences" and isinstance(value, str) else value
    return named
