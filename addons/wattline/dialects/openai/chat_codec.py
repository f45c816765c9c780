"""OpenAI's chat completions, and those of the providers that offer the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattline.dialects.openai.chat_decoder import ChunkDecoder
from wattline.dialects.openai.chat_encoder import ChatEncoder
from wattline.dialects.openai.chat_prompt import read_chat_prompt
from wattline.dialects.openai.chat_reply import read_chat_reply, write_chat_reply
from wattline.dialects.openai.chat_request import write_chat_prompt
from wattline.dialects.openai.chat_traits import OPENAI, ChatTraits
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class ChatCodec:
    """See `dialects.codec.Codec`. `traits` say what a provider takes; clients need none."""

    headers: Sequence[tuple[str, str]] = ()

    def __init__(self, traits: ChatTraits = OPENAI) -> None:
        self._traits = traits

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """The same for all."""
        return "/chat/completions"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002  (the protocol's)
        """The client's request. Raises ClientFault naming the field at fault."""
        return read_chat_prompt(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider."""
        return write_chat_prompt(prompt, model, self._traits)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole answer. Raises BadReply, ReplyError."""
        return read_chat_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return write_chat_reply(reply, call)

    def decoder(self) -> ChunkDecoder:
        """A fresh decoder for one provider's stream."""
        return ChunkDecoder()

    def encoder(self, call: Call) -> ChatEncoder:
        """A fresh encoder for one client's stream."""
        return ChatEncoder(call)
