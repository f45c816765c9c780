"""A GenerateContentResponse as providers send it, and what its parts and finish reasons mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from wattline.dialects.gemini.stream import lenient
from wattline.dialects.gemini.text import json_text
from wattline.wire.reply import Stop

# Fields have the wire's names.


class Calling(msgspec.Struct, gc=False):
    """A functionCall."""

    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class Inline(msgspec.Struct, gc=False):
    """An inlineData."""

    mimeType: str = ""  # noqa: N815
    data: str = ""


class Linked(msgspec.Struct, gc=False):
    """A fileData."""

    fileUri: str = ""  # noqa: N815
    mimeType: str | None = None  # noqa: N815


class Code(msgspec.Struct, gc=False):
    """An executableCode, or a codeExecutionResult."""

    code: str | None = None
    language: str | None = None
    output: str | None = None
    outcome: str | None = None


class AnswerPart(msgspec.Struct, gc=False):
    """A part: one of its members is set, a signature beside it."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None  # noqa: N815
    functionCall: Calling | None = None  # noqa: N815
    inlineData: Inline | None = None  # noqa: N815
    fileData: Linked | None = None  # noqa: N815
    executableCode: Code | None = None  # noqa: N815
    codeExecutionResult: Code | None = None  # noqa: N815

    @property
    def plain(self) -> str:
        """Its text; code that the provider ran, and what came of it, as a Markdown block."""
        if self.text is not None:
            return self.text
        if self.executableCode is not None and self.executableCode.code:
            language = (self.executableCode.language or "").lower()
            return (
                f"\n```{language if language.isalpha() else ''}\n{self.executableCode.code}\n```\n"
            )
        if self.codeExecutionResult is not None and self.codeExecutionResult.output:
            return f"\n```\n{self.codeExecutionResult.output}\n```\n"
        return ""

    @property
    def arguments(self) -> str:
        """The JSON of its call's arguments."""
        return json_text((self.functionCall and self.functionCall.args) or {})


class _Content(msgspec.Struct, gc=False):
    parts: list[AnswerPart] | None = None


class AnswerCandidate(msgspec.Struct, gc=False):
    """One of the answers."""

    content: _Content | None = None
    finishReason: str | None = None  # noqa: N815
    index: int = 0

    @property
    def parts(self) -> list[AnswerPart]:
        """What it says."""
        return (self.content.parts if self.content is not None else None) or []


class _Feedback(msgspec.Struct, gc=False):
    blockReason: str | None = None  # noqa: N815


class Generated(msgspec.Struct, gc=False):
    """The whole of it, or one event of a stream."""

    candidates: list[AnswerCandidate] | None = None
    usageMetadata: Any = None  # noqa: N815
    modelVersion: str | None = None  # noqa: N815
    responseId: str | None = None  # noqa: N815
    promptFeedback: _Feedback | None = None  # noqa: N815
    error: Any = None

    @property
    def blocked(self) -> bool:
        """The prompt was refused: there is no candidate."""
        feedback = self.promptFeedback
        return not self.candidates and feedback is not None and bool(feedback.blockReason)

    @property
    def empty(self) -> bool:
        """It says nothing at all: it is some other JSON object."""
        return self.candidates is None and self.usageMetadata is None and not self.blocked


_DECODER = msgspec.json.Decoder(Generated)


def read(payload: bytes) -> Generated | None:
    """A response; None when it is none."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:  # halves of surrogate pairs, which the stricter parser refuses
        return msgspec.convert(lenient(payload), Generated)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


_STOPS: Mapping[str, Stop] = MappingProxyType(
    {
        "STOP": Stop.END,
        "MAX_TOKENS": Stop.LENGTH,
        "SAFETY": Stop.FILTERED,
        "RECITATION": Stop.FILTERED,
        "BLOCKLIST": Stop.FILTERED,
        "PROHIBITED_CONTENT": Stop.FILTERED,
        "SPII": Stop.FILTERED,
        "IMAGE_SAFETY": Stop.FILTERED,
        "IMAGE_PROHIBITED_CONTENT": Stop.FILTERED,
        "IMAGE_RECITATION": Stop.FILTERED,
        "MODEL_ARMOR": Stop.FILTERED,
    }
)

_REASONS: Mapping[Stop, str] = MappingProxyType(
    {
        Stop.END: "STOP",
        Stop.LENGTH: "MAX_TOKENS",
        Stop.SEQUENCE: "STOP",
        Stop.TOOL_CALLS: "STOP",
        Stop.FILTERED: "SAFETY",
        Stop.PAUSED: "OTHER",
        Stop.OTHER: "OTHER",
    }
)


def stop(reason: str | None, *, calls: bool) -> Stop | None:
    """What a finishReason means; `calls` says whether the answer has calls of functions."""
    if reason is None or reason == "FINISH_REASON_UNSPECIFIED":
        return None
    found = _STOPS.get(reason, Stop.OTHER)
    return Stop.TOOL_CALLS if found is Stop.END and calls else found


def reason(found: Stop) -> str:
    """The finishReason for a client."""
    return _REASONS[found]
