"""The response object and the items of its `output`, as they are written for clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wattline.dialects.openai.responses_items import sealed_thought
from wattline.dialects.openai.responses_usage import write_counts
from wattline.wire.parts import Image, Reasoning, ToolCall
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage

type Item = dict[str, Any]

IN_PROGRESS = "in_progress"
COMPLETED = "completed"
INCOMPLETE = "incomplete"

REASONS: Mapping[Stop, str] = MappingProxyType(
    {Stop.LENGTH: "max_output_tokens", Stop.FILTERED: "content_filter"}
)
"""Why an answer is incomplete; with any other stop it is complete."""


def status_of(stop: Stop | None) -> str:
    """The status of a response that has ended."""
    return INCOMPLETE if stop in REASONS else COMPLETED


@dataclass(frozen=True, slots=True)
class Head:
    """What a response object says from its start to its end. `created` is Unix seconds."""

    id: str
    model: str
    created: int = 0


def response(
    head: Head,
    status: str,
    output: Sequence[Item] = (),
    usage: Usage | None = None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The response object. What only the request says has its default: a client knows it better."""
    reason = None if stop is None else REASONS.get(stop)
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "instructions": None,
        "max_output_tokens": None,
        "model": head.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": write_counts(usage),
        "user": None,
        "metadata": {},
    }


def text_part(text: str) -> Item:
    """A text of a message."""
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> Item:
    """A refusal of a message."""
    return {"type": "refusal", "refusal": text}


def message_item(name: str, status: str, content: Sequence[Item]) -> Item:
    """A message with the id `name`."""
    return {
        "id": name,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def reasoning_item(name: str, part: Reasoning) -> Item:
    """A thought with the id `name`, and what its provider needs to know it again."""
    sealed = part.redacted if part.redacted is not None else part.signature
    head = {"id": name, "type": "reasoning"}
    return head | sealed_thought(part) | {"encrypted_content": sealed}


def call_item(name: str, status: str, call: ToolCall) -> Item:
    """A call with the id `name`, which is not the id that its output names."""
    return {
        "id": name,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def image_item(name: str, status: str, image: Image) -> Item:
    """A picture with the id `name`."""
    media_type = image.media_type or "image/png"
    return {
        "id": name,
        "type": "image_generation_call",
        "status": status,
        "output_format": media_type.rpartition("/")[2],
        "result": image.data,
    }
