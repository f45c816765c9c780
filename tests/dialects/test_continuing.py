"""Streams cut at every place, and continued: the client's text is that of a whole stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kit.decisions import a_call
from wattline.dialects.codec import StreamDecoder
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.continuing import ContinuingReader, ListeningDecoder, ListeningReader
from wattline.dialects.lead import Lead
from wattline.dialects.seam import Seam
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.transcript import MOST, Transcript
from wattline.dialects.translation import TranslatingReader
from wattline.wire.call import Operation
from wattline.wire.events import (
    CallDelta,
    CallStarted,
    Counted,
    Ended,
    Event,
    Picture,
    ReasoningDelta,
    RefusalDelta,
    Started,
    Stopped,
    TextDelta,
)
from wattline.wire.piece import Mark, Piece
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage

DIALECTS = ["openai", "anthropic", "gemini", "ollama"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.text(
    "ab \nÄ漢😀", min_size=1, max_size=40
)


def codec(dialect: str) -> Any:
    found = client_codec(dialect, Operation.CHAT)
    assert found is not None
    return found


def decoder(dialect: str) -> StreamDecoder:
    side = provider_side(dialect, "provider.example").streaming
    assert side is not None
    return side.decoder()


def stream_of(dialect: str, texts: list[str], usage: Usage | None, name: str = "first") -> bytes:
    """A provider's stream of these pieces of text."""
    call = a_call(stream=True, wants_usage=True, dialect=dialect)
    encoder = codec(dialect).encoder(call)
    events: list[Event] = [Started(f"id-{name}", f"model-{name}", 1_700_000_000)]
    events += [TextDelta(text) for text in texts]
    events.append(Stopped(Stop.END))
    events += [] if usage is None else [Counted(usage)]
    events.append(Ended())
    return b"".join(piece.raw for event in events for piece in encoder.encode(event))


def pieces_of(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


@dataclass
class Client:
    """What a client of a dialect got."""

    dialect: str
    pieces: list[Piece] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        return b"".join(piece.raw for piece in self.pieces)

    @property
    def events(self) -> list[Event]:
        one = decoder(self.dialect)
        return [*one.feed(self.raw), *one.end()]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def first_reader(client: str, provider: str, transcript: Transcript) -> Any:
    call = a_call(stream=True, wants_usage=True, dialect=client)
    if client == provider:
        reader = spoken_dialects()[client].reader(call)
        return ListeningReader(reader, decoder(provider), transcript)
    listening = ListeningDecoder(decoder(provider), transcript)
    return TranslatingReader(listening, codec(client).encoder(call), 7)


def continued(
    client: str, providers: tuple[str, str], first: bytes, second: Any, usage: Usage
) -> tuple[Client, Transcript]:
    """The client of a first stream that ends as it is, continued by `second(lead)`'s stream."""
    got, transcript = Client(client), Transcript()
    got.pieces += first_reader(client, providers[0], transcript).feed(first)
    if transcript.obstacle is not None or not transcript.text:
        return got, transcript
    assert transcript.text == got.text
    lead = Lead(transcript.text)
    call = a_call(stream=True, wants_usage=True, dialect=client)
    encoder = codec(client).encoder(call)
    reader = ContinuingReader(
        decoder(providers[1]), encoder, lead.seam(), transcript, usage, created=7
    )
    for piece in second(lead):
        got.pieces += reader.feed(piece)
    got.pieces += reader.end()
    return got, transcript


def starts(client: Client) -> int:
    """Events that begin an answer."""
    raw = client.raw
    if client.dialect == "anthropic":
        assert raw.count(b'"content_block_start"') <= raw.count(b'"message_start"')
        return raw.count(b'"message_start"')
    return raw.count(b'"role":"assistant"') if client.dialect == "openai" else 1


@pytest.mark.parametrize("second", DIALECTS)
@pytest.mark.parametrize("first", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@settings(max_examples=15, deadline=None)
@given(
    text=TEXTS,
    places=st.lists(st.integers(0, 40), max_size=5),
    further=st.lists(st.integers(0, 40), max_size=3),
    at=st.floats(0, 1),
    chunk=st.integers(1, 50),
)
def test_every_cut_gives_the_text_of_a_whole_stream(
    client: str,
    first: str,
    second: str,
    text: str,
    places: list[int],
    further: list[int],
    at: float,
    chunk: int,
) -> None:
    """Cut anywhere, also inside of a character; the rest comes in chunks of any size."""
    whole = stream_of(first, pieces_of(text, places), None)
    cut = whole[: int(len(whole) * at)]

    def rest(lead: Lead) -> list[bytes]:
        left = text[len(lead.sent) :]
        assume(not (Seam(lead.sent, "")._wholes and left.startswith(lead.sent)))
        raw = stream_of(second, pieces_of(left, further), Usage(5, 6), "second")
        return [raw[n : n + chunk] for n in range(0, len(raw), chunk)]

    got, transcript = continued(client, (first, second), cut, rest, Usage(1, 2))
    if Mark.END not in {piece.mark for piece in got.pieces}:
        # Nothing was said yet, or its end was: nobody goes on, and the client is told.
        assert transcript.obstacle is not None or not transcript.text
        return
    assert got.text == text
    assert starts(got) == 1
    assert b"id-second" not in got.raw
    assert b"model-second" not in got.raw


@pytest.mark.parametrize("client", DIALECTS)
def test_the_client_is_told_the_sum(client: str) -> None:
    """The meter sees this attempt's own counts alone."""
    first = stream_of("openai", ["one ", "two"], None)
    cut = first[: first.rindex(b"data: {", 0, first.rindex(b'"finish_reason":"stop"'))]

    def rest(lead: Lead) -> list[bytes]:
        assert lead.sent == "one two"
        return [stream_of("anthropic", [" three"], Usage(5, 6))]

    got, _ = continued(client, ("openai", "anthropic"), cut, rest, Usage(100, 20))
    assert got.text == "one two three"
    counted = [event.usage for event in got.events if isinstance(event, Counted)]
    assert counted[-1] is not None
    assert (counted[-1].prompt, counted[-1].completion) == (105, 26)
    own = [piece.usage for piece in got.pieces if piece.usage is not None]
    assert [(usage.prompt, usage.completion) for usage in own[-1:]] == [(5, 6)]


@pytest.mark.parametrize("client", ["openai", "anthropic"])
def test_a_target_that_repeats_and_one_that_starts_anew(client: str) -> None:
    begun = "It was the best of times, it was the worst"
    first = stream_of("openai", [begun, " of"], None)
    cut = first[: first.rindex(b"data: {", 0, first.rindex(b" of"))]
    repeated, _ = continued(
        client,
        ("openai", "openai"),
        cut,
        lambda _: [stream_of("openai", [begun[:9], begun[9:] + " of times"], None)],
        Usage(1, 1),
    )
    assert repeated.text == begun + " of times"
    anew, _ = continued(
        client,
        ("openai", "openai"),
        cut,
        lambda _: [stream_of("openai", ["It was ", "a mistake"], None)],
        Usage(1, 1),
    )
    assert anew.text == begun + "It was a mistake"


def test_a_second_break_goes_on_from_what_the_client_has() -> None:
    """Text that was held at the seam was not said."""
    begun = "It was the best of times, it was the worst"
    transcript = Transcript()
    transcript.note(Started("id", "model", 1))
    transcript.note(TextDelta(begun))
    encoder = codec("openai").encoder(a_call(stream=True))
    reader = ContinuingReader(
        decoder("openai"), encoder, Lead(begun).seam(), transcript, Usage(1, 1)
    )
    held = stream_of("openai", ["It was ", "more"], None)
    assert reader.feed(held[: held.index(b"more") - 60]) == []
    assert transcript.text == begun
    reader = ContinuingReader(
        decoder("openai"), encoder, Lead(begun).seam(), transcript, Usage(1, 1)
    )
    reader.feed(stream_of("openai", [" of", " times"], None))
    assert transcript.obstacle == "complete"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (CallStarted(0, "c", "f"), "tool_call"),
        (CallDelta(0, "{"), "tool_call"),
        (ReasoningDelta("hm"), "reasoning"),
        (RefusalDelta("no"), "refusal"),
        (Picture("image/png", "AA"), "picture"),
        (TextDelta("x", 1), "alternatives"),
        (TextDelta("x" * (MOST + 1)), "too_long"),
        (Stopped(Stop.END), "complete"),
        (Ended(), "complete"),
    ],
)
def test_what_nobody_goes_on_with(event: Event, why: str) -> None:
    transcript = Transcript()
    transcript.note(TextDelta("some text"))
    transcript.note(event)
    transcript.note(TextDelta("more"))
    assert transcript.obstacle == why
    assert transcript.text == ""
    assert "text" not in repr(transcript)


def test_a_message_of_several_blocks() -> None:
    """Their frames have no neutral form: a block more would be lost."""
    transcript = Transcript()
    reader = first_reader("anthropic", "anthropic", transcript)
    whole = stream_of("anthropic", ["some text"], None)
    reader.feed(whole[: whole.index(b"event: content_block_stop")])
    assert transcript.obstacle is None
    block = (
        b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
        b'"content_block":{"type":"text","text":""}}\n\n'
    )
    reader.feed(block)
    assert transcript.obstacle == "blocks"


def test_thoughts_of_the_target_that_goes_on_are_left_out() -> None:
    transcript = Transcript()
    transcript.note(TextDelta("so far"))
    encoder = codec("openai").encoder(a_call(stream=True))
    reader = ContinuingReader(
        decoder("anthropic"), encoder, Lead("so far").seam(), transcript, Usage(0, 0)
    )
    source = codec("anthropic").encoder(a_call(stream=True))
    raw = b"".join(
        piece.raw
        for event in (
            Started(),
            ReasoningDelta("hmm"),
            TextDelta(" so good"),
            Stopped(Stop.END),
            Ended(),
        )
        for piece in source.encode(event)
    )
    got = Client("openai", list(reader.feed(raw)))
    assert got.text == " so good"
    assert b"hmm" not in got.raw
