"""Google's Interactions API (ai.google.dev/api/interactions-api): a turn of a conversation that the provider
keeps. It is passed on natively, with the model's name and the energy in it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, override

from wattline.base.json_members import members
from wattline.dialects.base import Answer, Energy, Route
from wattline.dialects.fields import Fields, count, flag, kind, name, wrong
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import Count
from wattline.dialects.gemini.usage import read_usage as read_counts
from wattline.dialects.gemini.words import response_error, word
from wattline.dialects.headers import plain_headers, tags
from wattline.dialects.openai.stream import EventReader
from wattline.dialects.splice import dumps, edit, edit_object, parts, value_of
from wattline.wire.call import Call, Principal
from wattline.wire.http import Request, Use
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import data, event, event_name
from wattline.wire.usage import Usage, UsageSource

PER_TURN = 4
"""Tokens that are added around a turn, about."""
_TEXTS = ("input", "system_instruction", "tools")
_COUNTS = MappingProxyType(
    {
        "total_input_tokens": "promptTokenCount",
        "total_output_tokens": "candidatesTokenCount",
        "total_thought_tokens": "thoughtsTokenCount",
        "total_tool_use_tokens": "toolUsePromptTokenCount",
        "total_cached_tokens": "cachedContentTokenCount",
        "total_tokens": "totalTokenCount",
    }
)
"""What the API counts, and what generateContent calls the same."""
_BEGUN = frozenset(
    {"interaction.created", "interaction.start", "interaction.status_update", "step.start"}
)
_COMPLETED = frozenset({"interaction.completed", "interaction.complete"})
"""The older names are those of the API's preview."""


def read_call(
    request: Request, route: Route, body: Fields, principal: Principal, path: str
) -> Call:
    """The neutral call; an agent's name stands for a model's. Raises ClientFault naming the field."""
    config = body.get("generation_config")
    if config is not None and not isinstance(config, dict):
        wrong("generation_config", f"'generation_config' must be an object, not {kind(config)}.")
    at = "generation_config.max_output_tokens"
    tools = body.get("tools")
    return Call(
        id=request.id,
        dialect=route.dialect,
        operation=route.operation,
        method=request.method,
        host=request.host,
        path=path,
        model=name(body, _naming(body)),
        stream=flag(body, "stream"),
        principal=principal,
        headers=plain_headers(request.headers),
        tokens=PER_TURN + _characters([body.get(key) for key in _TEXTS]) // 4,
        max_output=count({at: (config or {}).get("max_output_tokens")}, at),
        tools=bool(tools),
        tags=tags(request.headers),
        wants_usage=True,
        forward=request.use is Use.FORWARD,
    )


def _naming(body: Fields) -> str:
    """The field that names what is asked."""
    return "agent" if body.get("model") is None and body.get("agent") is not None else "model"


def _characters(value: Any) -> int:
    """Characters of the texts in a value, their kinds included. Media is no text."""
    size = 0
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                size += len(item)
            elif isinstance(item, dict):
                below += (inner for key, inner in item.items() if key != "data")
            elif isinstance(item, list):
                below += item
        level = below
    return size


def write_body(body: bytes, call: Call, model: str) -> bytes:
    """The body with the target's name of the model or agent; else as the client sent it."""
    if model == call.model:
        return body
    found = parts(body)
    told = value_of(body, found, "model") not in (None, b"null")
    return edit(body, {"model" if told else "agent": dumps(model)}, found)


def read_usage(value: Any) -> Count:
    """The counts in a parsed `usage`; see `gemini.usage.read_usage`."""
    if isinstance(value, dict):
        value = {ours: value.get(theirs) for theirs, ours in _COUNTS.items()}
    return read_counts(value)


def read_answer(body: bytes) -> Answer:
    """What a whole 2xx body says; never raises."""
    value = lenient(body)
    error = response_error(value)
    if error is not None:
        return Answer(None, error=word(error))
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        return Answer(None, sound=False)
    said, model = read_usage(value.get("usage")), value.get("model", value.get("agent"))
    return Answer(
        usage=said.usage,
        bad_usage=said.bad,
        output=_characters([value.get("steps"), value.get("outputs")]),
        model=model if isinstance(model, str) else None,
    )


def write_answer(body: bytes, usage: Usage, energy: Energy) -> bytes:
    """`body` with `usage.energy`, and with a usage where it had none."""
    return _with_usage(body, usage, energy) or body


def _with_usage(holder: bytes, usage: Usage, energy: Energy) -> bytes | None:
    found = members(holder)
    if found is None:
        return None
    raw = value_of(holder, found, "usage")
    said = read_usage(None if raw is None else lenient(raw))
    changes: dict[str, bytes | None] = {}
    if said.usage != usage:
        changes = {key: dumps(number) for key, number in _counts(usage).items()}
    if usage.source is UsageSource.ESTIMATED:
        changes["estimated"] = b"true"
    kept = None if said.bad or raw == b"null" else raw
    new = edit_object(kept, changes | {"energy": energy.json.encode()})
    return edit(holder, {"usage": new}, found)


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "total_input_tokens": usage.prompt,
        "total_output_tokens": usage.completion - usage.reasoning,
        "total_thought_tokens": usage.reasoning,
        "total_cached_tokens": usage.cached,
        "total_tokens": usage.total,
    }


def usage_event(piece: Piece | None, usage: Usage, energy: Energy) -> bytes:
    """The event that completes the interaction, with its energy; empty when there was none."""
    if piece is None:
        return b""
    payload = data(piece.raw) or b""
    found = members(payload)
    holder = None if found is None else value_of(payload, found, "interaction")
    new = None if holder is None else _with_usage(holder, usage, energy)
    if new is None:
        return piece.raw
    return event(edit(payload, {"interaction": new}, found), event_name(piece.raw))


class InteractionReader(EventReader):
    """Reads one stream of typed events. The completed interaction carries the usage; `[DONE]` ends it."""

    @override
    def _read(self, raw: bytes, payload: bytes) -> Piece:
        value = lenient(payload)
        if not isinstance(value, dict):
            return Piece(Mark.MALFORMED, raw)
        what = value.get("event_type") or event_name(raw)
        if not isinstance(what, str):
            return Piece(Mark.OUTPUT, raw)
        if what == "error" or value.get("error"):
            return Piece(Mark.ERROR, raw, error=word(value.get("error")))
        holder = value.get("interaction")
        if what in _COMPLETED:
            said = read_usage(holder.get("usage") if isinstance(holder, dict) else None)
            return Piece(Mark.USAGE, raw, 0, said.usage, said.bad, finish=True)
        if what in _BEGUN:
            return Piece(Mark.STARTUP, raw, model=_model(holder))
        return Piece(Mark.OUTPUT, raw, _characters(value.get("delta")))


def _model(holder: Any) -> str | None:
    """The interaction's model; its agent, or nothing, where it has none."""
    if not isinstance(holder, dict):
        return None
    found = holder.get("model", holder.get("agent", ""))
    return found if isinstance(found, str) else ""
