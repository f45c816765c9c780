"""What is known of a call's sound, before and after its answer."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kit.exchanges import exchange
from kit.sounds import form, wav
from wattline.service.exchange import Sound
from wattline.service.metering.listening import hear_transcript, sound_of, speech_headers, unheard
from wattline.service.metering.settlement import price
from wattline.wire.usage import Usage

SPEAK, TRANSCRIBE = "/v1/audio/speech", "/v1/audio/transcriptions"
MP3 = ("content-disposition", 'attachment; filename="speech.mp3"')


def speech(text="Hello world", **more):
    return exchange(SPEAK, {"model": "m", "input": text, "voice": "alloy", **more})


def transcription(file=None, *, passed=False, **fields):
    body, kind = form(wav(3.5) if file is None else file, model="m", **fields)
    return exchange(TRANSCRIBE, body, ("content-type", kind), passed=passed)


async def heard(found):
    found.sound = await sound_of(found)
    return found


async def test_sound_of_a_call():
    """A-117, A-118"""
    assert await sound_of(speech()) == Sound(characters=11)
    assert await sound_of(speech("Grüße \U0001f30d")) == Sound(characters=7)
    assert await sound_of(transcription()) == Sound(seconds=Fraction("3.5"))
    assert await sound_of(transcription(b"what is this")) == Sound()
    chat = exchange("/v1/chat/completions", {"model": "m", "messages": [{"role": "user"}]})
    assert await sound_of(chat) is None
    assert hear_transcript(chat, b'{"text":"x","duration":3}') == b'{"text":"x","duration":3}'


async def test_recording_that_is_missing_has_no_length():
    body, kind = form(None, model="m")
    assert await sound_of(exchange(TRANSCRIBE, body, ("content-type", kind))) == Sound()


@pytest.mark.parametrize(
    ("sound", "energy"),
    [
        (Sound(seconds=Fraction("3.5")), 53),
        (Sound(seconds=Fraction(0)), 0),
        (Sound(seconds=Fraction(1, 1000)), 1),
        (Sound(characters=11), 6),
        (Sound(characters=0), 0),
        (Sound(), 75),
        (None, 75),
    ],
)
async def test_price(sound, energy):
    """A-117, A-118: by what is known of the sound, else by tokens: 100 at rate 2, with the margin."""
    found = speech()
    (target,) = found.plan.targets
    assert price(Usage(90, 10), target, found.book, sound).micro == energy * 1_000_000


async def test_transcript_tells_the_length():
    """The provider's word is better than the file's, which a client can forge."""
    found = await heard(transcription(language="de"))
    told = b'{"text":"x","duration":7.25}'
    assert hear_transcript(found, told) == b'{"text":"x","duration":7.25,"language":"de"}'
    assert found.sound == Sound(seconds=Fraction("7.25"))


@pytest.mark.parametrize(
    "body",
    [b"", b"Hello\n", b"WEBVTT\n", b"[]", b"null", b'"x"', b"\xff", b'{"duration":1', b"{}", b"1"],
)
async def test_transcript_that_is_no_object_stays(body):
    found = await heard(transcription(language="de"))
    assert hear_transcript(found, body) == body
    assert found.sound == Sound(seconds=Fraction("3.5"))


@pytest.mark.parametrize(
    "told", ["-1", '"x"', "true", "[]", "1e99", "null", '{"seconds":9}', "NaN"]
)
async def test_length_that_cannot_be_true_is_not_believed(told):
    found = await heard(transcription())
    body = b'{"text":"x","duration":%b}' % told.encode()
    assert hear_transcript(found, body) == body
    assert found.sound == Sound(seconds=Fraction("3.5"))


async def test_passed_transcript_stays_as_it_is():
    """It is the client's own call: nothing is added to its answer, and its length is still known."""
    found = await heard(transcription(passed=True, language="de"))
    body = b'{"text":"x","usage":{"type":"duration","seconds":4}}'
    assert hear_transcript(found, body) == body
    assert found.sound == Sound(seconds=Fraction(4))


def test_speech_headers():
    """A-034: in place of the provider's own."""
    theirs = (("content-type", "audio/mpeg"), ("x-token-cost", "9"), ("content-disposition", "x"))
    assert speech_headers(speech(), theirs, 5_500_000) == (
        ("content-type", "audio/mpeg"),
        MP3,
        ("x-token-cost", "6"),
    )
    assert speech_headers(speech(), (), 6_000_000) == (MP3, ("x-token-cost", "6"))
    assert speech_headers(speech(), (), 0) == (MP3, ("x-token-cost", "0"))
    assert speech_headers(speech(), (), None) == (MP3,)


@pytest.mark.parametrize(
    "wanted", [None, "", "mp3", 3, True, [], {}, "a b", 'a"', "a/../b", "a\r\nx: y", "мп3", "²"]
)
def test_name_of_the_file_is_plain(wanted):
    """A-034: what a client writes there can't become another header, or another file."""
    assert speech_headers(speech(response_format=wanted), (), None) == (MP3,)


def test_name_of_the_file_is_short():
    (pair,) = speech_headers(speech(response_format="x" * 99), (), None)
    assert pair[1] == 'attachment; filename="speech.xxxxxxxx"'


async def test_what_nobody_heard_is_not_owed():
    spoken, recorded = await heard(speech()), await heard(transcription())
    unheard(spoken)
    unheard(recorded)
    assert spoken.sound == Sound(characters=0)
    assert recorded.sound == Sound(seconds=Fraction("3.5"))
    nothing = speech()
    unheard(nothing)
    assert nothing.sound is None
