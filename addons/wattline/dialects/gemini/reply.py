"""Whole answers between Gemini's shape and the neutral one."""

from __future__ import annotations

from typing import Any

from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.gemini.call_ids import AnswerIds
from wattline.dialects.gemini.paths import STREAM, method_of
from wattline.dialects.gemini.read_parts import blob_type
from wattline.dialects.gemini.response import (
    AnswerCandidate,
    AnswerPart,
    Generated,
    Inline,
    Linked,
    read,
    reason,
    stop,
)
from wattline.dialects.gemini.signature import packed_redacted, thought
from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.usage import counts, read_usage
from wattline.dialects.gemini.words import response_error, word
from wattline.dialects.gemini.write_parts import call as write_call
from wattline.dialects.gemini.write_parts import thought as write_thought
from wattline.dialects.json_text import dumps
from wattline.wire.call import Call
from wattline.wire.parts import (
    Audio,
    File,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from wattline.wire.reply import Alternative, Reply, Stop


def read_reply(body: bytes) -> Reply:
    """A provider's whole answer. Raises BadReply, ReplyError."""
    found = read(body)
    if found is None or found.error:
        error = found.error if found is not None else response_error(lenient(body))
        if error:
            raise ReplyError(word(error))
        raise BadReply
    if not found.candidates and not found.blocked:
        raise BadReply
    ids = AnswerIds()
    count = read_usage(found.usageMetadata)
    alternatives = [_alternative(candidate, found, ids) for candidate in found.candidates or ()]
    return Reply(
        alternatives=tuple(alternatives) or (Alternative((), Stop.FILTERED),),
        id=found.responseId or None,
        model=found.modelVersion or None,
        usage=count.usage,
        bad_usage=count.bad,
    )


def _alternative(candidate: AnswerCandidate, found: Generated, ids: AnswerIds) -> Alternative:
    parts: list[Part] = []
    for part in candidate.parts:
        parts += read_part(part, found.responseId, ids)
    calls = any(isinstance(part, ToolCall) for part in parts)
    return Alternative(tuple(parts), stop(candidate.finishReason, calls=calls))


def read_part(part: AnswerPart, response: str | None, ids: AnswerIds) -> list[Part]:
    """A provider's part: none or several neutral ones."""
    signature = part.thoughtSignature or None
    if part.functionCall is not None:
        calling = part.functionCall
        known = ids.id(calling.id, response)
        return [ToolCall(known, calling.name, part.arguments, signature)]
    if part.thought:
        said = part.text or ""
        if signature is not None:
            return [thought(said, signature)]
        return [Reasoning(said)] if said else []
    found: list[Part] = []
    if part.inlineData is not None:
        found.append(_inline(part.inlineData))
    elif part.fileData is not None:
        found.append(_linked(part.fileData))
    elif part.plain:
        found.append(Text(part.plain))
    if signature is not None:
        found.append(thought("", signature))
    return found


def _inline(blob: Inline) -> Part:
    return blob_type(blob.mimeType)(blob.mimeType, data=blob.data)


def _linked(blob: Linked) -> Part:
    return blob_type(blob.mimeType or "")(blob.mimeType, url=blob.fileUri)


def write_reply(reply: Reply, call: Call) -> bytes:
    """The client's whole answer; for a stream that is none of events, an array of it."""
    found: dict[str, Any] = {
        "candidates": [_candidate(found, i) for i, found in enumerate(reply.alternatives)]
    }
    if reply.usage is not None:
        found["usageMetadata"] = counts(reply.usage)
    found["modelVersion"] = reply.model or call.model
    found["responseId"] = reply.id or call.id
    whole = dumps(found)
    return b"[" + whole + b"]" if method_of(call.path) == STREAM else whole


def _candidate(alternative: Alternative, index: int) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in alternative.parts:
        written = write_part(part, parts)
        if written is not None:
            parts.append(written)
    found: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    if alternative.stop is not None:
        found["finishReason"] = reason(alternative.stop)
    return found | {"index": index}


def write_part(part: Part, before: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A part for a client, after others; None when there is nothing (more) to write."""
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Reasoning():
            if part.redacted is not None:
                signature = packed_redacted(part.redacted)
                return {"text": "", "thought": True, "thoughtSignature": signature}
            return write_thought(part.text, part.signature, before)
        case ToolCall():
            return write_call(part)
        case Image() | Audio() | File() if part.data is not None:
            mime = part.media_type or "application/octet-stream"
            return {"inlineData": {"mimeType": mime, "data": part.data}}
        case Image() | Audio() | File():
            linked = {"fileUri": part.url or part.id or "", "mimeType": part.media_type}
            return {"fileData": {key: value for key, value in linked.items() if value is not None}}
        case ToolResult():
            return None
