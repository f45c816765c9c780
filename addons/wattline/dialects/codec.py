"""Translation between one way of asking for text and the neutral types. All of it is sans-io.

A codec stands for one operation of one dialect (chat completions, messages, generateContent, …). It is
used where a client's dialect and a provider's differ: the client's codec reads the prompt and writes the
answer, the provider's writes the prompt and reads the answer. Where they are the same nothing is
translated, and a client's bytes stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from wattline.wire.call import Call
from wattline.wire.events import Event
from wattline.wire.piece import Piece
from wattline.wire.prompt import Prompt, Written
from wattline.wire.reply import Reply


class BadReply(Exception):
    """A provider's answer is not what its dialect promises. Holds nothing of it."""


class ReplyError(Exception):
    """A provider reports an error inside a 2xx. `word` is one of `dialects.words`'."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class StreamDecoder(Protocol):
    """A provider's bytes in, neutral events out, at any chunk boundary, with bounded memory."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that `data` completes. Raises `EventTooLarge` past the bound of one event.

        Never raises for content: what can't be read is `Malformed`, an error inside the stream `Failed`.
        Nothing comes after `Ended` or `Failed`.
        """
        ...

    def end(self) -> Sequence[Event]:
        """The provider came to its end: what a last event without its terminator says."""
        ...


class StreamEncoder(Protocol):
    """Neutral events in, pieces of the client's dialect out."""

    def encode(self, event: Event) -> Sequence[Piece]:
        """What the client gets for an event; often nothing or one piece, each whole in its dialect.

        Marks: STARTUP before the first content, OUTPUT with `output` set to the characters of text,
        thought, refusal and arguments in it; `finish` on the first piece after which the answer is
        complete; the usage (the last `Counted`, or none) in one USAGE piece, or in the END piece where the
        dialect has it there; END for the end marker. `Failed`, `Malformed` are not given to an encoder.
        Usage, finish reason and end are written at `Ended` at the latest: an answer without `Stopped`
        ends as END, one without `Counted` without counts.
        """
        ...


class ClientCodec(Protocol):
    """The client's half: it reads the prompt and writes the answer. Stateless."""

    def read_prompt(self, body: Mapping[str, Any], call: Call) -> Prompt:
        """The client's request (parsed strictly before; its basics were checked by `read_call`).

        Raises ClientFault naming the field (`messages[2].content[0].source`) where it is not what the
        dialect defines. Fields and parts that have no neutral form go into `extras`.
        """
        ...

    def write_reply(self, reply: Reply, call: Call) -> bytes:
        """The client's whole answer. `call.model` stands in where the provider named no model, an id made
        from `call.id` where it gave none.
        """
        ...

    def encoder(self, call: Call) -> StreamEncoder:
        """A fresh encoder for one client's stream."""
        ...


class ProviderCodec(Protocol):
    """The provider's half: it writes the prompt and reads the answer. Stateless."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What a request in this dialect must carry beside its key, for example `anthropic-version`; a
        header of the same name in the provider's configuration wins.
        """
        ...

    def path(self, model: str, *, stream: bool) -> str:
        """The path below a provider's base URL, a query included where the dialect streams by one."""
        ...

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The request for a provider, `stream` and the wish for usage included.

        Raises nothing for what the provider can't do: that is in `Written`.
        """
        ...

    def read_reply(self, body: bytes) -> Reply:
        """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
        ...


class StreamingCodec(ProviderCodec, Protocol):
    """A provider's half that can stream."""

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one provider's stream."""
        ...


class Codec(ClientCodec, StreamingCodec, Protocol):
    """Both halves; one instance serves all calls."""
