"""Writes the body for a target: edits in the client's own bytes, nothing built anew."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.base.json_members import members
from wattline.dialects.splice import dumps, edit, edit_object, parts, value_of
from wattline.wire.call import Call, Operation

_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "top_k": "top_k",
        "seed": "seed",
        "stop": "stop",
        "presence_penalty": "presence_penalty",
        "frequency_penalty": "frequency_penalty",
        "max_tokens": "num_predict",
        "max_completion_tokens": "num_predict",
        "max_output_tokens": "num_predict",
    }
)
"""Body fields as rules name them, and the options that mean the same."""


def write_body(
    body: bytes,
    call: Call,
    model: str,
    defaults: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> bytes:
    """`body` for a target that knows its model as `model`.

    Sampling parameters in `defaults` and `overrides` go to `options`; so do the members of an `options`
    of theirs. Raises OurFault when `body` is no JSON object.
    """
    found = parts(body)
    present = {member.key for member in found}
    options = value_of(body, found, "options")
    known = {member.key for member in (members(options) if options else None) or ()}
    text = call.operation is not Operation.EMBEDDINGS
    added, added_options = _split(defaults, sampling=text)
    forced, forced_options = _split(overrides, sampling=True)
    changes: dict[str, bytes | None] = {
        key: dumps(value) for key, value in added.items() if key not in present
    }
    changes |= {key: dumps(value) for key, value in forced.items()}
    changes.pop("model", None)
    if model != call.model or "model" not in present:
        changes["model"] = dumps(model)
    new = {k: v for k, v in added_options.items() if k not in known} | forced_options
    if new:
        changes["options"] = edit_object(options, {k: dumps(v) for k, v in new.items()})
    return edit(body, changes, found)


def _split(fields: Mapping[str, Any], *, sampling: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of the body itself, and those of its options."""
    top: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in fields.items():
        if key == "options" and isinstance(value, Mapping):
            options |= value
        elif key not in _OPTIONS:
            top[key] = value
        elif sampling:
            options[_OPTIONS[key]] = [value] if key == "stop" and isinstance(value, str) else value
    return top, options
