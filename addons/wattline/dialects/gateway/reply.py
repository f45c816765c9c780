"""A gateway's whole chat answer."""

from __future__ import annotations

from typing import Any

from wattline.dialects.gateway.request import own_name
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_reply import write_alternative
from wattline.dialects.openai.chat_usage import write_counts
from wattline.wire.call import Call
from wattline.wire.reply import Reply


def write_reply(reply: Reply, call: Call) -> bytes:
    """The answer; `provider` is the one that gave it, as it is named in the rules."""
    body: dict[str, Any] = {
        "id": reply.id or f"msg_{call.id}",
        "provider": reply.provider or call.provider,
        "model": reply.model or own_name(call),
        "choices": [
            {"index": index} | write_alternative(alternative)
            for index, alternative in enumerate(reply.alternatives)
        ],
    }
    if reply.usage is not None:
        body["usage"] = write_counts(reply.usage)
    return dumps(body)
