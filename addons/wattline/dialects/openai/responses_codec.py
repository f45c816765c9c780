"""The Responses API, translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.openai import responses_prompt, responses_reply, responses_request
from wattline.dialects.openai.responses_decode import ResponsesDecoder
from wattline.dialects.openai.responses_encode import ResponsesEncoder
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class ResponsesCodec:
    """See `dialects.codec.Codec`. Each method's work is in the module of its name."""

    headers: tuple[tuple[str, str], ...] = ()

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """The same for all."""
        return "/responses"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002
        """The client's request. Raises ClientFault."""
        return responses_prompt.read_prompt(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider."""
        return responses_request.write_prompt(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole answer. Raises BadReply, ReplyError."""
        return responses_reply.read_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return responses_reply.write_reply(reply, call)

    def decoder(self) -> ResponsesDecoder:
        """A fresh decoder for one provider's stream."""
        return ResponsesDecoder()

    def encoder(self, call: Call) -> ResponsesEncoder:
        """A fresh encoder for one client's stream."""
        return ResponsesEncoder(call)
