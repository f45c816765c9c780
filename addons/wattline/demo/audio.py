"""`POST /v1/audio/speech`, `/v1/audio/transcriptions` and `/v1/audio/translations`.

Shapes: https://platform.openai.com/docs/api-reference/audio. Speech is silence of the length that
reading the input aloud would take.
"""

from __future__ import annotations

import io
import math
import wave

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.reply import Reply
from wattline.demo.tokens import count

LONGEST_INPUT = 4096
"""Characters of input to speech."""
SPEECH_SECONDS_PER_CHARACTER = 0.06
SAMPLE_RATE = 24_000
MP3_FRAME = b"\xff\xfb\x90\x64".ljust(417, b"\0")
"""One silent MPEG-1 layer III frame: 128 kbit/s, 44.1 kHz, 417 bytes, 1152 samples."""
MP3_FRAME_SECONDS = 1152 / 44_100
BYTES_PER_SECOND = 16_000
"""Of audio that is no WAV: 128 kbit/s."""
TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")


def speech(asked: Asked) -> Reply:
    """Silence as MP3, WAV or PCM. Raises Refused."""
    fields = asked.fields
    fields.text("model", required=True)
    text = fields.text("input", required=True) or ""
    fields.text("voice", required=True)
    if len(text) > LONGEST_INPUT:
        raise Refused(
            f"Invalid 'input': string too long. Expected a string with maximum length "
            f"{LONGEST_INPUT}, but got a string with length {len(text)} instead.",
            param="input",
            code="string_above_max_length",
        )
    fields.number("speed", 0.25, 4.0)
    form = fields.one_of("response_format", tuple(TYPES)) or "mp3"
    seconds = max(0.1, len(text) * SPEECH_SECONDS_PER_CHARACTER)
    body = _mp3(seconds) if form == "mp3" else _pcm(seconds, wav=form == "wav")
    return Reply(body, content_type=TYPES[form], prompt_tokens=count(text))


def transcription(asked: Asked) -> Reply:
    """A sentence and the length of the recording. Raises Refused."""
    fields = asked.fields
    fields.text("model", required=True)
    form = fields.one_of("response_format", FORMATS) or "json"
    if asked.file is None:
        fields.need("file")
    seconds = duration(asked.file or b"")
    text = f"This is the wattline demo provider: it got {seconds:g} seconds of audio."
    usage = {"type": "duration", "seconds": math.ceil(seconds)}
    match form:
        case "json":
            return Reply({"text": text, "duration": seconds, "usage": usage})
        case "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": seconds, "text": text}
            return Reply(
                {
                    "task": "transcribe",
                    "language": "english",
                    "duration": seconds,
                    "text": text,
                    "segments": [segment],
                    "usage": usage,
                }
            )
        case "text":
            body = f"{text}\n"
        case "srt":
            body = f"1\n{_time(0, ',')} --> {_time(seconds, ',')}\n{text}\n\n"
        case _:
            body = f"WEBVTT\n\n{_time(0, '.')} --> {_time(seconds, '.')}\n{text}\n\n"
    return Reply(body.encode(), content_type="text/plain; charset=utf-8")


def duration(audio: bytes) -> float:
    """Seconds of a recording: exact for a WAV, else as if it had 128 kbit/s; two decimals."""
    try:
        with wave.open(io.BytesIO(audio)) as file:
            frames, rate = int(file.getnframes()), int(file.getframerate())
        return round(frames / rate, 2)
    except (wave.Error, EOFError, ValueError, ZeroDivisionError, OverflowError):
        return round(len(audio) / BYTES_PER_SECOND, 2)


def _mp3(seconds: float) -> bytes:
    return MP3_FRAME * math.ceil(seconds / MP3_FRAME_SECONDS)


def _pcm(seconds: float, *, wav: bool) -> bytes:
    samples = bytes(2 * round(seconds * SAMPLE_RATE))
    if not wav:
        return samples
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples)
    return made.getvalue()


def _time(seconds: float, point: str) -> str:
    whole = int(seconds)
    rest = round((seconds - whole) * 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{rest:03d}"
