"""Writes the body for a target: edits in the client's own bytes, nothing built anew.

The model is in the path. Where a client put it into the body too (`model`, `requests[].model`,
`generateContentRequest.model`) it is kept in step.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.json_elements import elements
from wattline.base.json_members import Member, members
from wattline.dialects.gemini.names import spelled
from wattline.dialects.gemini.paths import COUNT, method_of, resource
from wattline.dialects.splice import dumps, edit, edit_object, parts, value_of
from wattline.wire.call import Call, Operation

_CONFIG = "generationConfig"
_LIMIT = "maxOutputTokens"

_NEUTRAL: Mapping[str, str] = MappingProxyType(
    {
        "max_completion_tokens": _LIMIT,
        "max_tokens": _LIMIT,
        "max_output_tokens": _LIMIT,
        "maxOutputTokens": _LIMIT,
        "temperature": "temperature",
        "top_p": "topP",
        "topP": "topP",
        "top_k": "topK",
        "topK": "topK",
        "stop": "stopSequences",
        "stopSequences": "stopSequences",
        "seed": "seed",
        "presence_penalty": "presencePenalty",
        "presencePenalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
        "frequencyPenalty": "frequencyPenalty",
        "n": "candidateCount",
        "candidateCount": "candidateCount",
    }
)
"""Fields of rules that belong into `generationConfig`, by whatever name a rule gives them."""


def write_body(
    body: bytes,
    call: Call,
    model: str,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> bytes:
    """`body` for a target that knows its model as `model`. `defaults` are added where the client set
    nothing. Raises OurFault when `body` is no JSON object.
    """
    found = parts(body)
    changes: dict[str, bytes | None] = {}
    if call.operation is Operation.CHAT:
        changes = _fields(body, found, defaults, overrides)
    changes |= _models(body, found, call, model)
    return edit(body, changes, found) if changes else body


def _fields(
    body: bytes, found: list[Member], defaults: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, bytes | None]:
    keys = {member.key for member in found}
    changes: dict[str, bytes | None] = {}
    for key, value in _top(overrides).items():
        changes[spelled(keys, key)] = dumps(value)
    for key, value in _top(defaults).items():
        at = spelled(keys, key)
        if at not in keys:
            changes.setdefault(at, dumps(value))
    place = spelled(keys, _CONFIG)
    if place not in changes:
        raw = value_of(body, found, place)
        config = _config(raw, _sampling(defaults), _sampling(overrides))
        if config:
            changes[place] = edit_object(raw, config)
    return changes


def _sampling(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {_NEUTRAL[key]: value for key, value in fields.items() if key in _NEUTRAL}
    if isinstance(stop := found.get("stopSequences"), str):
        found["stopSequences"] = [stop]
    return found


def place_fields(
    body: dict[str, Any], defaults: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """A written prompt's body with the fields of rules in their places, as `write_body` has them."""
    config = {**_sampling(defaults), **body.get(_CONFIG, {}), **_sampling(overrides)}
    found = {**_top(defaults), **body, **_top(overrides)}
    return {**found, _CONFIG: config} if config and _CONFIG not in overrides else found


def _top(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: value for k, value in fields.items() if k not in _NEUTRAL and k != "model"}


def _config(
    raw: bytes | None, defaults: dict[str, Any], overrides: dict[str, Any]
) -> dict[str, bytes | None]:
    there = members(raw) if raw is not None else None
    keys = {member.key for member in there or ()}
    wanted = {spelled(keys, key): value for key, value in defaults.items()}
    changes = {key: dumps(value) for key, value in wanted.items() if key not in keys}
    for key, value in overrides.items():
        changes[spelled(keys, key)] = dumps(value)
    return dict(changes)


def _models(body: bytes, found: list[Member], call: Call, model: str) -> dict[str, bytes | None]:
    if model == call.model:
        return {}
    changes: dict[str, bytes | None] = {}
    new = dumps(resource(model))
    if value_of(body, found, "model") is not None:
        changes["model"] = new
    if call.operation is Operation.EMBEDDINGS:
        raw = value_of(body, found, "requests")
        if raw is not None:
            changes["requests"] = _in_each(raw, new)
    elif method_of(call.path) == COUNT:
        place = spelled({member.key for member in found}, "generateContentRequest")
        raw = value_of(body, found, place)
        if raw is not None:
            changes[place] = _in_one(raw, new)
    return changes


def _in_one(raw: bytes, model: bytes) -> bytes:
    found = members(raw)
    if found is None or value_of(raw, found, "model") is None:
        return raw
    return edit(raw, {"model": model}, found)


def _in_each(raw: bytes, model: bytes) -> bytes:
    """The same for each object of an array, or for the one that stands for it."""
    found = elements(raw) if raw.startswith(b"[") else None
    if found is None:
        return _in_one(raw, model)
    out: list[bytes] = []
    position = 0
    for element in found:
        out += raw[position : element.start], _in_one(raw[element.start : element.end], model)
        position = element.end
    return b"".join([*out, raw[position:]])
