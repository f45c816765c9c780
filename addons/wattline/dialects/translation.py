"""One way across: a client's dialect on this side, a provider's on the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wattline.dialects.base import Answer
from wattline.dialects.codec import (
    BadReply,
    ClientCodec,
    ProviderCodec,
    ReplyError,
    StreamDecoder,
    StreamEncoder,
)
from wattline.dialects.unfold import events_of
from wattline.wire.call import Call
from wattline.wire.events import Counted, Ended, Event, Failed, Malformed, Started, Stopped
from wattline.wire.parts import Reasoning, Refusal, Text, ToolCall
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Reply


class TranslatingReader:
    """Reads a provider's stream into pieces that are already in the client's dialect."""

    def __init__(
        self, decoder: StreamDecoder, encoder: StreamEncoder, created: int | None = None
    ) -> None:
        """`created` is the Unix time to tell where the provider tells none."""
        self._decoder = decoder
        self._encoder = encoder
        self._created = created
        self._stopped = self._ended = False

    def feed(self, data: bytes) -> list[Piece]:
        """Pieces that `data` completes. Raises EventTooLarge."""
        return self._pieces(self._decoder.feed(data))

    def _pieces(self, events: Iterable[Event]) -> list[Piece]:
        pieces: list[Piece] = []
        for event in events:
            if type(event) is Started and event.created is None:
                event = replace(event, created=self._created)  # noqa: PLW2901  (the same, dated)
            pieces += _encoded(self._encoder, event)
            self._stopped = self._stopped or type(event) is Stopped
            self._ended = self._ended or type(event) is Ended
        return pieces

    def end(self) -> list[Piece]:
        """Pieces that the end of the stream completes. An answer that gave its reason to stop is complete
        without the end marker.
        """
        pieces = self._pieces(self._decoder.end())
        if self._stopped and not self._ended:
            pieces += self._pieces([Ended()])
        return pieces

    def rest(self) -> bytes:
        """Nothing: what is not whole can't be told to the client."""
        return b""

    @property
    def ended(self) -> bool:
        """The provider's end marker has been seen."""
        return self._ended

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'ended' if self._ended else 'open'}>"


def _encoded(encoder: StreamEncoder, event: Event) -> Sequence[Piece]:
    """The pieces of an event, those included that no encoder is given."""
    if type(event) is Failed:
        return [Piece(Mark.ERROR, b"", error=event.word)]
    if type(event) is Malformed:
        return [Piece(Mark.MALFORMED, b"")]
    if type(event) is Counted and event.bad:
        return [Piece(Mark.STARTUP, b"", bad_usage=True)]
    return encoder.encode(event)


def translated(
    provider: ProviderCodec,
    client: ClientCodec,
    call: Call,
    body: bytes,
    by: str | None = None,
    created: int | None = None,
) -> tuple[Answer, bytes]:
    """What a provider's whole answer says, and the same for the client. `by` is the provider's name,
    `created` the Unix time to tell where it tells none.
    """
    try:
        reply = provider.read_reply(body)
    except ReplyError as error:
        return Answer(None, error=error.word), b""
    except BadReply:
        return Answer(None, sound=False), b""
    said = Answer(
        reply.usage, bad_usage=reply.bad_usage, output=characters(reply), model=reply.model
    )
    dated = reply.created if reply.created is not None else created
    return said, client.write_reply(replace(reply, provider=by, created=dated), call)


def unfolded(
    client: ClientCodec, reply: Reply, call: Call, created: int | None = None
) -> list[Piece]:
    """A whole answer as the client's stream (A-052)."""
    if reply.created is None:
        reply = replace(reply, created=created)
    encoder = client.encoder(call)
    return [piece for event in events_of(reply) for piece in _encoded(encoder, event)]


def characters(reply: Reply) -> int:
    """Characters of text, thought, refusals and arguments in all alternatives."""
    return sum(_size(part) for choice in reply.alternatives for part in choice.parts)


def _size(part: object) -> int:
    if isinstance(part, Text | Reasoning | Refusal):
        return len(part.text)
    return len(part.arguments) if isinstance(part, ToolCall) else 0
