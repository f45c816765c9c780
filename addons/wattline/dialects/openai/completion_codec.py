"""OpenAI's legacy completions: a text in, a text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattline.dialects.openai.chat_decoder import ChunkDecoder
from wattline.dialects.openai.completion_encoder import CompletionEncoder
from wattline.dialects.openai.completion_prompt import (
    read_completion_prompt,
    write_completion_prompt,
)
from wattline.dialects.openai.completion_reply import (
    read_completion_reply,
    write_completion_reply,
)
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class CompletionCodec:
    """See `dialects.codec.Codec`."""

    headers: Sequence[tuple[str, str]] = ()

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """The same for all."""
        return "/completions"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002  (the protocol's)
        """The client's request. Raises ClientFault naming the field at fault."""
        return read_completion_prompt(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider."""
        return write_completion_prompt(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole answer. Raises BadReply, ReplyError."""
        return read_completion_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return write_completion_reply(reply, call)

    def decoder(self) -> ChunkDecoder:
        """A fresh decoder for one provider's stream."""
        return ChunkDecoder()

    def encoder(self, call: Call) -> CompletionEncoder:
        """A fresh encoder for one client's stream."""
        return CompletionEncoder(call)
