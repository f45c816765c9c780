"""Finish reasons of chat and of legacy completions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wattline.wire.reply import Stop

_READ: Mapping[str, Stop] = MappingProxyType(
    {
        "stop": Stop.END,
        "eos": Stop.END,
        "length": Stop.LENGTH,
        "max_tokens": Stop.LENGTH,
        "model_length": Stop.LENGTH,
        "tool_calls": Stop.TOOL_CALLS,
        "function_call": Stop.TOOL_CALLS,
        "content_filter": Stop.FILTERED,
    }
)
_WRITTEN: Mapping[Stop, str] = MappingProxyType(
    {
        Stop.LENGTH: "length",
        Stop.TOOL_CALLS: "tool_calls",
        Stop.FILTERED: "content_filter",
    }
)


def read_finish(reason: Any, sequence: Any, *, called: bool) -> tuple[Stop | None, str | None]:
    """Why an answer stopped, and at which stop sequence: vLLM's `stop_reason` is that text.

    `called`: there are tool calls in it. Then it stopped for them, whatever word a provider has for it:
    for a call that was asked for by name OpenAI says `stop`.
    """
    if not isinstance(reason, str) or not reason:
        return None, None
    stop = _READ.get(reason, Stop.OTHER)
    if stop is Stop.END and called:
        return Stop.TOOL_CALLS, None
    if stop is Stop.END and isinstance(sequence, str) and sequence:
        return Stop.SEQUENCE, sequence
    return stop, None


def write_finish(stop: Stop | None, *, called: bool) -> str:
    """The word for a client. What OpenAI has no word for is `stop`."""
    if called and stop in (None, Stop.END):
        return "tool_calls"
    return "stop" if stop is None else _WRITTEN.get(stop, "stop")
