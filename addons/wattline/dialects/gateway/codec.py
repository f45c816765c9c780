"""A gateway's chat; see `dialects.codec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattline.dialects.gateway.decode import DeltaDecoder
from wattline.dialects.gateway.encode import DeltaEncoder
from wattline.dialects.gateway.prompt import read_gateway_prompt
from wattline.dialects.gateway.reply import write_reply
from wattline.dialects.openai.chat_reply import read_chat_reply
from wattline.dialects.openai.chat_request import write_chat_prompt
from wattline.dialects.openai.chat_traits import COMPATIBLE
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class GatewayCodec:
    """No provider speaks it: the half that reads answers is for those that are kept and told again."""

    headers: Sequence[tuple[str, str]] = ()

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """The same for all."""
        return "/chat"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002
        """The client's request. Raises ClientFault naming the field at fault."""
        return read_gateway_prompt(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request, without a provider: that is a part of the model's name."""
        return write_chat_prompt(prompt, model, COMPATIBLE)

    def read_reply(self, body: bytes) -> Reply:
        """A whole answer. Raises BadReply, ReplyError."""
        return read_chat_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return write_reply(reply, call)

    def decoder(self) -> DeltaDecoder:
        """A fresh decoder for one stream."""
        return DeltaDecoder()

    def encoder(self, call: Call) -> DeltaEncoder:
        """A fresh encoder for one client's stream."""
        return DeltaEncoder(call)
