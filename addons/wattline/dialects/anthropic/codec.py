"""The Messages API in terms of the neutral types: see `dialects.codec.Codec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattline.dialects.anthropic import read_prompt, reply, write_prompt
from wattline.dialects.anthropic.decode import MessageDecoder
from wattline.dialects.anthropic.encode import MessageEncoder
from wattline.dialects.codec import StreamDecoder, StreamEncoder
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply

VERSION: Final = "2023-06-01"
"""Of the API (E-060)."""


class MessagesCodec:
    """Each method's work is in the module of its name."""

    headers = (("anthropic-version", VERSION),)

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """Always the same."""
        return "/messages"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002
        """A client's request. Raises ClientFault naming the field at fault."""
        return read_prompt.read_prompt(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """A request for a provider."""
        return write_prompt.write_prompt(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole answer. Raises BadReply, ReplyError."""
        return reply.read_reply(body)

    def write_reply(self, answer: Reply, call: Call) -> bytes:
        """A client's whole answer."""
        return reply.write_reply(answer, call)

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one provider's stream."""
        return MessageDecoder()

    def encoder(self, call: Call) -> StreamEncoder:
        """A fresh encoder for one client's stream."""
        return MessageEncoder(call)
