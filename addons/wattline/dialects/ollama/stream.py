"""Streams of Ollama: one JSON object a line, the last with `done`, a reason and the counts."""

from __future__ import annotations

from wattline.dialects.ollama.line import Line, read_line
from wattline.dialects.ollama.usage import read_counts
from wattline.dialects.openai.usage import ABSENT
from wattline.dialects.words import error_word
from wattline.wire.ndjson import LineDecoder, payload
from wattline.wire.piece import Mark, Piece


class LineReader:
    """Reads one stream of chat or of generated text; see `dialects.base.StreamReader`."""

    def __init__(self) -> None:
        self._decoder = LineDecoder()
        self._ended = False

    def feed(self, chunk: bytes) -> list[Piece]:
        """Pieces that `chunk` completes. Raises EventTooLarge."""
        return [self._piece(raw) for raw in self._decoder.feed(chunk)]

    def end(self) -> list[Piece]:
        """The upstream came to its end: a last line may lack its line end."""
        raw, self._decoder = self._decoder.rest(), LineDecoder()
        return [self._piece(raw)] if raw else []

    def rest(self) -> bytes:
        """Bytes after the last whole line."""
        return self._decoder.rest()

    @property
    def ended(self) -> bool:
        """The last object has been seen."""
        return self._ended

    def _piece(self, raw: bytes) -> Piece:
        text = payload(raw)
        if text is None:
            return Piece(Mark.STARTUP, raw)
        line = None if self._ended else read_line(text)
        if line is None or not line.known:
            return Piece(Mark.MALFORMED, raw)
        if line.error:
            return Piece(Mark.ERROR, raw, error=error_word(line.error))
        return self._read(raw, line)

    def _read(self, raw: bytes, line: Line) -> Piece:
        output = size(line)
        counted = line.prompt_eval_count is not None or line.eval_count is not None
        count = read_counts(line) if counted else ABSENT
        if line.done:
            self._ended = True
            mark = Mark.END
        else:
            mark = Mark.STARTUP if output is None else Mark.OUTPUT
        return Piece(
            mark, raw, output or 0, count.usage, count.bad, None, line.model, line.done is True
        )


def size(line: Line) -> int | None:
    """Characters of output in an object; None when it has none at all."""
    total = len(line.response or "") + len(line.thinking or "")
    message = line.message
    if message is None:
        return total or (0 if line.image else None)
    total += len(message.content or "") + len(message.thinking or "")
    if message.tool_calls:
        return total + sum(
            len(call.function.name) + len(call.arguments) for call in message.tool_calls
        )
    return total or (0 if message.images else None)
