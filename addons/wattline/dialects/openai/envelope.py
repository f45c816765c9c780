"""The outside of whole answers: an object with an id, a model, a time, choices and usage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_usage import read_counts, write_counts
from wattline.dialects.openai.stream import lenient
from wattline.dialects.words import error_word
from wattline.wire.call import Call
from wattline.wire.reply import Alternative, Reply

MAX_ALTERNATIVES = 128
"""OpenAI's own bound of `n`."""


def open_reply(body: bytes) -> dict[str, Any]:
    """The object of a whole answer. Raises BadReply, ReplyError."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = lenient(body)
    if not isinstance(value, dict):
        raise BadReply
    error = value.get("error")
    if not error and (value.get("object") == "error" or value.get("type") == "error"):
        error = value
    if error:
        raise ReplyError(error_word(error))
    return value


def read_envelope(
    value: dict[str, Any], read: Callable[[dict[str, Any], int], Alternative | None]
) -> Reply:
    """A reply whose choices `read` reads. Raises BadReply when there is none, ReplyError."""
    choices = value.get("choices")
    found = []
    for index, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, dict) or index >= MAX_ALTERNATIVES:
            continue
        if error := choice.get("error"):
            raise ReplyError(error_word(error))
        alternative = read(choice, index)
        if alternative is not None:
            found.append((place(choice.get("index"), index), alternative))
    if not found:
        raise BadReply
    found.sort(key=lambda pair: pair[0])
    return headed(value, tuple(alternative for _, alternative in found))


def place(index: Any, default: int) -> int:
    """A choice's own index, or where it stands."""
    return index if type(index) is int else default


def headed(value: dict[str, Any], alternatives: tuple[Alternative, ...]) -> Reply:
    """A reply with the head of an answer."""
    id_, model, created = value.get("id"), value.get("model"), value.get("created")
    count = read_counts(value.get("usage"))
    return Reply(
        alternatives,
        id=id_ if isinstance(id_, str) and id_ else None,
        model=model if isinstance(model, str) and model else None,
        created=created if type(created) is int else None,
        usage=count.usage,
        bad_usage=count.bad,
    )


def write_envelope(
    reply: Reply,
    call: Call,
    kind: str,
    prefix: str,
    write: Callable[[Alternative], dict[str, Any]],
) -> bytes:
    """A whole answer of the given `object`; each choice is what `write` makes of an alternative.

    `created` is 0 where no time is known: nothing here reads a clock.
    """
    body: dict[str, Any] = {
        "id": reply.id or f"{prefix}-{call.id}",
        "object": kind,
        "created": reply.created or 0,
        "model": reply.model or call.model,
        "choices": [
            {"index": index} | write(alternative)
            for index, alternative in enumerate(reply.alternatives)
        ],
    }
    if reply.usage is not None:
        body["usage"] = write_counts(reply.usage)
    return dumps(body)
