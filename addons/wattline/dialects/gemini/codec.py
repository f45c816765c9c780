"""Translates generateContent to and from the neutral types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.gemini import paths, read_prompt, reply, write_prompt
from wattline.dialects.gemini.decode import GenerateDecoder
from wattline.dialects.gemini.encode import GenerateEncoder
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class GenerateCodec:
    """See `dialects.codec.Codec`. Each method's work is in the module of its name."""

    headers: tuple[tuple[str, str], ...] = ()

    def path(self, model: str, *, stream: bool) -> str:
        """The path below a base URL such as `https://generativelanguage.googleapis.com/v1beta`."""
        return paths.path(model, paths.STREAM if stream else paths.GENERATE, stream=stream)

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:
        """The client's request. Raises ClientFault."""
        return read_prompt.read_prompt(body, call)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider; whether it streams is said by the path."""
        return write_prompt.write_prompt(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole answer. Raises BadReply, ReplyError."""
        return reply.read_reply(body)

    def write_reply(self, reply_: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return reply.write_reply(reply_, call)

    def decoder(self) -> GenerateDecoder:
        """A fresh decoder for one provider's stream."""
        return GenerateDecoder()

    def encoder(self, call: Call) -> GenerateEncoder:
        """A fresh encoder for one client's stream."""
        return GenerateEncoder(call)
