"""Streams of `streamGenerateContent`: each event is a whole GenerateContentResponse.

There is no end marker, and the usage rides on every event. The event that finishes the answer is the one
that must carry the energy, so it is marked USAGE, which is held back until the end; should more come after
it, it goes out first, as OUTPUT.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from wattline.dialects.gemini.usage import ABSENT, read_usage
from wattline.dialects.gemini.words import response_error, word
from wattline.wire.piece import Mark, Piece
from wattline.wire.sse import EventDecoder, data

_NONE = msgspec.Raw(b"")


class _Part(msgspec.Struct, gc=False):
    text: str | None = None
    functionCall: msgspec.Raw = _NONE  # noqa: N815  (the wire's name)
    inlineData: msgspec.Raw = _NONE  # noqa: N815
    fileData: msgspec.Raw = _NONE  # noqa: N815
    executableCode: msgspec.Raw = _NONE  # noqa: N815
    codeExecutionResult: msgspec.Raw = _NONE  # noqa: N815


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, gc=False):
    content: _Content | None = None
    finishReason: str | None = None  # noqa: N815
    index: int = 0


class _Feedback(msgspec.Struct, gc=False):
    blockReason: str | None = None  # noqa: N815


class Response(msgspec.Struct, gc=False):
    """A GenerateContentResponse, as far as metering needs it."""

    candidates: list[_Candidate] | None = None
    usageMetadata: Any = None  # noqa: N815
    modelVersion: str | None = None  # noqa: N815
    promptFeedback: _Feedback | None = None  # noqa: N815
    error: Any = None

    @property
    def output(self) -> int | None:
        """Characters of output in it; None when it has none at all."""
        sizes = [
            size
            for candidate in self.candidates or ()
            for part in (candidate.content and candidate.content.parts) or ()
            if (size := _size(part)) is not None
        ]
        return sum(sizes) if sizes else None

    @property
    def blocked(self) -> bool:
        """The prompt was refused: there is no candidate."""
        feedback = self.promptFeedback
        return not self.candidates and feedback is not None and bool(feedback.blockReason)


def _size(part: _Part) -> int | None:
    if part.text:
        return len(part.text)
    told = (part.functionCall, part.executableCode, part.codeExecutionResult)
    size = sum(len(memoryview(raw)) for raw in told)
    silent = len(memoryview(part.inlineData)) or len(memoryview(part.fileData))
    return size if size or silent else None


_RESPONSE = msgspec.json.Decoder(Response)


def read_response(payload: bytes) -> Response | None:
    """A response in its usual shape; an odd member of an object is left out. None when it is none."""
    try:
        return _RESPONSE.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _slow(payload)


def _slow(payload: bytes) -> Response | None:
    from_json = lenient(payload)
    if not isinstance(from_json, dict):
        return None
    candidates = from_json.get("candidates")
    feedback = from_json.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    model = from_json.get("modelVersion")
    return Response(
        [_candidate(c) for c in candidates if isinstance(c, dict)]
        if isinstance(candidates, list)
        else None,
        from_json.get("usageMetadata"),
        model if isinstance(model, str) else None,
        _Feedback(reason) if isinstance(reason, str) else None,
        from_json.get("error"),
    )


def _candidate(value: dict[str, Any]) -> _Candidate:
    content, reason, index = (value.get(key) for key in ("content", "finishReason", "index"))
    parts = content.get("parts") if isinstance(content, dict) else None
    return _Candidate(
        _Content(
            [_part(p) for p in parts if isinstance(p, dict)] if isinstance(parts, list) else []
        ),
        str(reason) if reason else None,
        index if type(index) is int else 0,
    )


def _part(value: dict[str, Any]) -> _Part:
    text = value.get("text")
    if isinstance(text, str):
        return _Part(text)
    told = [key for key in _Part.__struct_fields__[1:] if value.get(key)]
    return _Part(
        None, **{key: msgspec.Raw(repr(value[key]).encode("utf-8", "replace")) for key in told}
    )


def lenient(payload: bytes) -> Any:
    """The value of a JSON text by a parser that lets NaN and the like pass; None when there is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


class ResponseReader:
    """Reads one stream. The answer is finished when each candidate that was begun is."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._open: set[int] = set()
        self._ended = False
        self._last: Piece | None = None

    def feed(self, chunk: bytes) -> list[Piece]:
        """Pieces that `chunk` completes. Raises EventTooLarge."""
        pieces: list[Piece] = []
        for raw in self._decoder.feed(chunk):
            pieces += self._pieces(raw)
        return pieces

    def end(self) -> list[Piece]:
        """The pieces of a last event that lacks its blank line: SDKs read it, and so comes an error that
        is no event at all. Half an event is nothing.
        """
        raw = self.rest()
        self._decoder = EventDecoder()
        pieces = self._pieces(raw + b"\n\n") if raw.strip() else []
        return [] if any(piece.mark is Mark.MALFORMED for piece in pieces) else pieces

    def rest(self) -> bytes:
        """Bytes after the last whole event."""
        return self._decoder.rest()

    @property
    def ended(self) -> bool:
        """An end marker has been seen: Google sends none, some servers send OpenAI's."""
        return self._ended

    def _pieces(self, raw: bytes) -> list[Piece]:
        payload = data(raw)
        if payload is None and raw.lstrip()[:1] not in (b"{", b"["):
            return [Piece(Mark.STARTUP, raw)]
        if payload is not None and payload.strip() == b"[DONE]":
            self._ended = True
            return [Piece(Mark.END, raw)]
        if self._ended:
            return [Piece(Mark.MALFORMED, raw)]
        piece = self._read(raw, raw if payload is None else payload)
        held, self._last = self._last, piece if piece.mark is Mark.USAGE else None
        return [piece] if held is None else [_released(held), piece]

    def _read(self, raw: bytes, payload: bytes) -> Piece:
        response = read_response(payload)
        if response is None:
            error = response_error(lenient(payload))
            return Piece(Mark.MALFORMED, raw) if error is None else _failed(raw, error)
        if response.error:
            return _failed(raw, response.error)
        if response.candidates is None and response.usageMetadata is None and not response.blocked:
            return Piece(Mark.MALFORMED, raw)
        finish = self._note(response)
        count = ABSENT if response.usageMetadata is None else read_usage(response.usageMetadata)
        output = response.output
        mark = Mark.OUTPUT if output is not None or finish else Mark.STARTUP
        if (finish or not response.candidates) and count.usage is not None:
            mark = Mark.USAGE
        # A usage that is not held back yet must not be taken for the one that is.
        usage = None if mark is Mark.STARTUP else count.usage
        model = response.modelVersion
        return Piece(mark, raw, output or 0, usage, count.bad, None, model, finish)

    def _note(self, response: Response) -> bool:
        """Remember which candidates are open; True when the last of them has just been finished."""
        finished = response.blocked
        for candidate in response.candidates or ():
            if candidate.finishReason:
                self._open.discard(candidate.index)
                finished = True
            else:
                self._open.add(candidate.index)
        return finished and not self._open


def _released(held: Piece) -> Piece:
    """A piece that turned out not to be the last, as it goes out; it has been metered already."""
    if held.output or held.finish:
        return Piece(Mark.OUTPUT, held.raw, usage=held.usage, model=held.model)
    return Piece(Mark.STARTUP, held.raw, model=held.model)


def _failed(raw: bytes, error: Any) -> Piece:
    return Piece(Mark.ERROR, raw, error=word(error))
