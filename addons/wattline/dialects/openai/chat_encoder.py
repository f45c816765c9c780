"""Neutral events into a stream of chat completions."""

from __future__ import annotations

from io import StringIO
from typing import Any, ClassVar

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.chat_calls import write_signature
from wattline.dialects.openai.chat_reply import write_picture
from wattline.dialects.openai.chat_thought import DETAILS, write_detail
from wattline.dialects.openai.chunk_encoder import ChunkEncoder
from wattline.dialects.openai.finish import write_finish
from wattline.wire.call import Call
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Event,
    Picture,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    TextDelta,
)
from wattline.wire.parts import Image, Reasoning
from wattline.wire.piece import Piece
from wattline.wire.reply import Stop

MAX_THOUGHT = 4 * 1024 * 1024
"""Characters of thought that are kept to stand once more beside their signature."""


class _Thought:
    """The thought of an alternative that no signature has closed yet."""

    __slots__ = ("blocks", "full", "text")

    def __init__(self) -> None:
        self.text = StringIO()
        self.blocks = 0
        self.full = False

    def add(self, text: str) -> None:
        """More of it. What is too long is not kept at all: a signature holds for the whole."""
        if self.text.tell() + len(text) > MAX_THOUGHT:
            self.full = True
            self.text = StringIO()
        elif not self.full:
            self.text.write(text)

    def close(self) -> str:
        """The text since the last close."""
        text, self.text, self.full = self.text.getvalue(), StringIO(), False
        return text


class ChatEncoder(ChunkEncoder):
    """One client's stream. Thought goes out as `reasoning_content`; when it is signed, it follows once
    more, whole, in `reasoning_details`, so that a client has one block to send back.
    """

    OBJECT = "chat.completion.chunk"
    PREFIX = "chatcmpl"
    EMPTY = b'"delta":{}'
    FIRST: ClassVar[bytes | None] = b'"delta":{"role":"assistant","content":""}'

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._thoughts: dict[int, _Thought] = {}
        self._called: set[int] = set()
        self._pictures: dict[int, int] = {}
        """How many each alternative had: clients join items of one index."""

    def _output(self, event: Event) -> list[Piece]:
        match event:
            case TextDelta(text=text, alternative=alternative):
                members = b'"delta":{"content":%b}' % dumps(text)
                return self._content(alternative, members, len(text))
            case ReasoningDelta(text=text, alternative=alternative):
                self._thought(alternative).add(text)
                members = b'"delta":{"reasoning_content":%b}' % dumps(text)
                return self._content(alternative, members, len(text))
            case CallDelta(arguments=arguments, alternative=alternative):
                part = {"index": event.call, "function": {"arguments": arguments}}
                return self._delta(alternative, {"tool_calls": [part]}, len(arguments))
            case CallStarted():
                return self._call_started(event)
            case RefusalDelta(text=text, alternative=alternative):
                return self._delta(alternative, {"refusal": text}, len(text))
            case ReasoningSealed():
                details = self._sealed(event)
                return self._delta(event.alternative, {DETAILS: details})
            case Picture(media_type=media_type, data=data, alternative=alternative):
                index = self._pictures.get(alternative, 0)
                self._pictures[alternative] = index + 1
                picture = write_picture(Image(media_type, data)) | {"index": index}
                return self._delta(alternative, {"images": [picture]})
        return []

    def _delta(self, alternative: int, delta: dict[str, Any], size: int = 0) -> list[Piece]:
        return self._content(alternative, b'"delta":' + dumps(delta), size)

    def _thought(self, alternative: int) -> _Thought:
        found = self._thoughts.get(alternative)
        if found is None:
            found = self._thoughts[alternative] = _Thought()
        return found

    def _call_started(self, event: CallStarted) -> list[Piece]:
        self._called.add(event.alternative)
        call = {
            "index": event.call,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
            **write_signature(event.signature),
        }
        return self._delta(event.alternative, {"tool_calls": [call]})

    def _sealed(self, event: ReasoningSealed) -> list[dict[str, Any]]:
        """The blocks that are complete now: a redacted one stands by itself, after what came before."""
        thought = self._thought(event.alternative)
        text = thought.close()
        if event.redacted is None:
            blocks = [Reasoning(text, event.signature)]
        else:
            before = [Reasoning(text)] if text else []
            blocks = [*before, Reasoning("", event.signature, event.redacted)]
        first, thought.blocks = thought.blocks, thought.blocks + len(blocks)
        return [write_detail(block, first + place) for place, block in enumerate(blocks)]

    def _finish(self, stop: Stop, alternative: int) -> str:
        return write_finish(stop, called=alternative in self._called)
