from __future__ import annotations

import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.asked import Asked
from wattline.demo.audio import MP3_FRAME, duration, speech, transcription
from wattline.demo.check import Refused


def _speech(**body):
    return speech(Asked(1, 0, {"model": "m", "input": "hello there", "voice": "x", **body}))


def test_wav_is_as_long_as_the_input_takes():
    body = _speech(response_format="wav").body
    with wave.open(io.BytesIO(body)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(0.66)
    assert duration(body) == 0.66


def test_mp3_is_whole_frames():
    reply = _speech()
    assert reply.content_type == "audio/mpeg"
    assert reply.body == MP3_FRAME * (len(reply.body) // len(MP3_FRAME))
    assert reply.body[:2] == b"\xff\xfb"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x" * 4097}, "input"),
        ({"voice": None}, "voice"),
        ({"response_format": "flac"}, "response_format"),
        ({"speed": 5}, "speed"),
    ],
)
def test_bad_speech_requests(body, param):
    with pytest.raises(Refused) as refused:
        _speech(**body)
    assert refused.value.param == param


def _transcription(file=b"\0" * 32_000, **body):
    return transcription(Asked(1, 0, {"model": "m", **body}, file))


def test_transcriptions_tell_the_duration():
    assert _transcription().body["usage"] == {"type": "duration", "seconds": 2}
    assert _transcription(response_format="verbose_json").body["duration"] == 2
    assert b"00:00:00,000 --> 00:00:02,000" in _transcription(response_format="srt").body
    assert _transcription(response_format="vtt").body.startswith(b"WEBVTT\n\n")
    assert b"2 seconds" in _transcription(response_format="text").body


def test_a_missing_file_is_refused():
    with pytest.raises(Refused, match="'file'"):
        _transcription(None)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_a_duration(audio, riff):
    assert duration(b"RIFF\xff\0\0\0WAVEfmt " * riff + audio) >= 0
