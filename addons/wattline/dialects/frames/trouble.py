"""Why a request failed, in the words of both protocols."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from wattline.base.errors import Fault, Kind
from wattline.dialects.frames.asked import Name
from wattline.dialects.json_text import dumps
from wattline.wire.http import Whole

RATE_LIMITED: Final = "rate_limited"
_RATE_MESSAGE: Final = "Rate limit exceeded"
_WORDS: Final[Mapping[str, str]] = MappingProxyType({"rate_limit_exceeded": RATE_LIMITED})
"""The chat protocol's words where they are not ours."""
_LONGEST: Final = 2_000
"""Characters of a provider's message that are told."""
_WHOSE: Final = "x-wattline-fault"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`code` is a word for programs, `kind` the inference protocol's type of error, `retry_after_ms` None
    when that can't be told, `param` the field at fault.
    """

    status: int
    code: str
    message: str
    kind: str
    retry_after_ms: int | None = None
    param: str | None = None

    def chat(self, name: Name | None = None) -> bytes:
        """`{type, code, message, requestId?}` (B-184)."""
        frame: dict[str, Any] = {"type": "error", "code": self.code, "message": self._message()}
        if name is not None:
            frame["requestId"] = name
        if self.retry_after_ms is not None:
            frame["retryAfterMs"] = self.retry_after_ms
        if self.param is not None:
            frame["param"] = self.param
        return dumps(frame)

    def inference(self, name: Name | None = None) -> bytes:
        """`{type, id, error: {code, message, type}}` (D-063)."""
        frame: dict[str, Any] = {"type": "error"}
        if name is not None:
            frame["id"] = name
        return dumps({**frame, "error": self._error()})

    def either(self) -> bytes:
        """Where nobody knows which protocol the message was to be of: a client of either finds its own."""
        return dumps(
            {
                "type": "error",
                "code": self.code,
                "message": self._message(),
                "error": self._error(),
            }
        )

    def _message(self) -> str:
        """One sentence for each rate limit: clients of the chat protocol compare it (B-185)."""
        return _RATE_MESSAGE if self.code == RATE_LIMITED else self.message

    def _error(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.status, "message": self.message, "type": self.kind}
        if self.param is not None:
            error["details"] = {"field": self.param, "message": self.message}
        return error


def of_fault(fault: Fault) -> Trouble:
    """One of ours."""
    after = fault.retry_after
    known = after is not None and math.isfinite(after)
    return Trouble(
        status=fault.status,
        code=_WORDS.get(fault.code, fault.code),
        message=fault.message,
        kind=_kind(fault.status, ours=fault.kind is not Kind.UPSTREAM),
        retry_after_ms=math.ceil(max(0.0, after) * 1000) if known and after is not None else None,
        param=fault.param,
    )


def of_answer(answer: Whole) -> Trouble:
    """A whole answer that is no success: ours, or a provider's in OpenAI's shape."""
    headers = dict(answer.headers)
    error = _object(answer.body).get("error")
    after = headers.get("retry-after-ms", "")
    found = _told(error, answer.status, ours=headers.get(_WHOSE) == "ours")
    if after.isascii() and after.isdigit():
        return Trouble(
            found.status, found.code, found.message, found.kind, int(after[:12]), found.param
        )
    return found


def of_event(error: object) -> Trouble:
    """The `error` of a stream that began well."""
    code = error.get("code") if isinstance(error, dict) else None
    ours = code in ("shutting_down", "internal_error")
    return _told(error, 503 if code == "shutting_down" else 502, ours=ours)


def _told(error: object, status: int, *, ours: bool) -> Trouble:
    said = error if isinstance(error, dict) else {}
    message = said.get("message")
    code = next((w for w in (said.get("code"), said.get("type")) if isinstance(w, str) and w), None)
    param = said.get("param")
    return Trouble(
        status=status,
        code=_code(code, status),
        message=message[:_LONGEST] if isinstance(message, str) and message else _plain(status),
        kind=_kind(status, ours=ours),
        param=param[:_LONGEST] if isinstance(param, str) else None,
    )


def _code(code: str | None, status: int) -> str:
    if code is None:
        return RATE_LIMITED if status == 429 else f"http_{status}"
    return _WORDS.get(code, code[:100])


def _plain(status: int) -> str:
    return f"The request failed with status {status}."


def _kind(status: int, *, ours: bool) -> str:
    """D-071; `openrouter` is any provider: the clients know the word."""
    if status in (402, 429):
        return "rate_limit"
    if status < 500:
        return "validation"
    return "internal" if ours else "openrouter"


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
