"""Neutral events into a stream of legacy completions."""

from __future__ import annotations

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chunk_encoder import ChunkEncoder
from wattline.dialects.openai.completion_reply import completion_finish
from wattline.wire.events import Event, ReasoningDelta, RefusalDelta, TextDelta
from wattline.wire.piece import Piece
from wattline.wire.reply import Stop


class CompletionEncoder(ChunkEncoder):
    """One client's stream. Tool calls and pictures have no form here, and no client can ask for them."""

    OBJECT = "text_completion"
    PREFIX = "cmpl"
    EMPTY = b'"text":"","logprobs":null'

    def _output(self, event: Event) -> list[Piece]:
        match event:
            case (
                TextDelta(text=text, alternative=alternative)
                | RefusalDelta(text=text, alternative=alternative)
            ):
                members = b'"text":%b,"logprobs":null' % dumps(text)
                return self._content(alternative, members, len(text))
            case ReasoningDelta(text=text, alternative=alternative):
                members = b'"text":"","reasoning_content":%b' % dumps(text)
                return self._content(alternative, members, len(text))
        return []

    def _finish(self, stop: Stop, alternative: int) -> str:  # noqa: ARG002  (the same for each)
        return completion_finish(stop)
