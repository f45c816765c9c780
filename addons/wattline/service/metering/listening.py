"""How much sound a call is about: what it is priced by, and what its answer tells of it."""

from __future__ import annotations

import asyncio
import math

from wattline.base.amounts import MICRO
from wattline.dialects.openai.transcript import told_seconds, with_facts
from wattline.service.exchange import Exchange, Sound
from wattline.service.outgoing.upload import Upload
from wattline.wire.call import Operation
from wattline.wire.http import Headers

DISPOSITION = "content-disposition"
COST = "x-token-cost"


async def sound_of(exchange: Exchange) -> Sound | None:
    """None for calls that are not about sound. A recording is looked at in a thread."""
    if exchange.call.operation is Operation.SPEECH:
        text = exchange.value.get("input")
        return Sound(characters=len(text)) if isinstance(text, str) else None
    if exchange.call.operation is Operation.TRANSCRIPTION:
        upload = exchange.body
        seconds = await asyncio.to_thread(upload.seconds) if isinstance(upload, Upload) else None
        return Sound(seconds=seconds)
    return None


def hear_transcript(exchange: Exchange, body: bytes) -> bytes:
    """Take the length that the provider tells: a client may lie in its file's headers. The answer gets
    what A-031 promises beside the text, unless it is only passed on.
    """
    sound = exchange.sound
    if sound is None or exchange.call.operation is not Operation.TRANSCRIPTION:
        return body
    told = told_seconds(body)
    if told is not None:
        sound.seconds = told
    if exchange.plan.passed:
        return body
    language = exchange.value.get("language")
    return with_facts(body, sound.seconds, language if isinstance(language, str) else None)


def speech_headers(
    exchange: Exchange, headers: Headers, micro: int | None
) -> tuple[tuple[str, str], ...]:
    """`headers` with what A-034 promises, in place of the provider's own: a name for the file, and its
    price in whole energy.
    """
    kind = exchange.value.get("response_format")
    name = kind if isinstance(kind, str) and kind.isascii() and kind.isalnum() else "mp3"
    kept = [pair for pair in headers if pair[0] not in (DISPOSITION, COST)]
    kept.append((DISPOSITION, f'attachment; filename="speech.{name[:8]}"'))
    if micro is not None:
        kept.append((COST, str(math.ceil(micro / MICRO))))
    return tuple(kept)


def unheard(exchange: Exchange) -> None:
    """Nothing of a spoken text has come: it is not owed. A recording is, once it was sent."""
    if exchange.sound is not None and exchange.sound.characters is not None:
        exchange.sound.characters = 0
