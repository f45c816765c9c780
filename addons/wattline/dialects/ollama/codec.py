"""Translation of Ollama's chat and generate; see `dialects.codec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattline.dialects.codec import StreamDecoder, StreamEncoder
from wattline.dialects.ollama import read_prompt, write_prompt
from wattline.dialects.ollama import reply as replies
from wattline.dialects.ollama.decode import LineEvents
from wattline.dialects.ollama.encode import LinePieces
from wattline.wire.call import Call
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class OllamaChatCodec:
    """`/api/chat`. Each method's work is in the module of its name."""

    headers: Sequence[tuple[str, str]] = ()

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """Below a host: Ollama's base URL has no version."""
        return "/api/chat"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002
        """The client's request. Raises ClientFault naming the field at fault."""
        return read_prompt.read_chat(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider."""
        return write_prompt.write_chat(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
        return replies.read_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return replies.write_reply(reply, call, chat=True)

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one provider's stream."""
        return LineEvents()

    def encoder(self, call: Call) -> StreamEncoder:
        """A fresh encoder for one client's stream."""
        return LinePieces(call, chat=True)


class OllamaGenerateCodec:
    """`/api/generate`: one turn. As a provider's it reports what does not fit into one."""

    headers: Sequence[tuple[str, str]] = ()

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """Below a host: Ollama's base URL has no version."""
        return "/api/generate"

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:  # noqa: ARG002
        """The client's request. Raises ClientFault naming the field at fault."""
        return read_prompt.read_generate(body)

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider."""
        return write_prompt.write_generate(prompt, model)

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
        return replies.read_reply(body)

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer."""
        return replies.write_reply(reply, call, chat=False)

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one provider's stream."""
        return LineEvents()

    def encoder(self, call: Call) -> StreamEncoder:
        """A fresh encoder for one client's stream."""
        return LinePieces(call, chat=False)
