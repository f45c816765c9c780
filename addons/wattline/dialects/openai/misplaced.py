"""Whole chat answers that are nearly chat completions: their text is not in their choices (C-070), or they don't say
what they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_reply import misplaced, write_chat_reply
from wattline.dialects.openai.envelope import open_reply
from wattline.dialects.splice import edit
from wattline.wire.call import Call, Operation

_CHOICES = re.compile(rb'"choices"\s*+:\s*+\[\s*+\{')
_NO_CONTENT = re.compile(rb'"content"\s*+:\s*+null')


def with_choices(call: Call, body: bytes, model: str | None = None) -> bytes:
    """`body` as a chat completion where its text is outside of its choices, or where it lacks its head; else as
    it is. Where it names no model, `model` stands in, or else the call's.
    """
    if call.operation is not Operation.CHAT or _is_usual(body):
        return body
    try:
        value = open_reply(body)
    except (BadReply, ReplyError):
        return body
    found = misplaced(value)
    if found is not None:
        return write_chat_reply(replace(found, model=found.model or model), call)
    if not value.get("choices"):
        return body
    return edit(body, _missing(value, call, model))


def _is_usual(body: bytes) -> bool:
    """At a glance: nearly all answers are, and are not read once more."""
    headed = b'"id"' in body and b'"object"' in body and b'"model"' in body
    return headed and _CHOICES.search(body) is not None and _NO_CONTENT.search(body) is None


def _missing(value: dict[str, Any], call: Call, model: str | None) -> dict[str, bytes | None]:
    """Members of its head that it has not; `created` is 0: nothing here reads a clock."""
    head = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": 0,
        "model": model or call.model,
    }
    return {key: dumps(text) for key, text in head.items() if value.get(key) is None}
