"""The length of a recording that a client uploads, for its price.

Read from the headers that the client's file has: a client can lie in them. Where a provider tells the
length too, that is the better word.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import IO

from wattline.wire.audio.excerpt import Excerpt, Exhausted
from wattline.wire.audio.ogg import ogg_seconds
from wattline.wire.audio.tagged import tagged_seconds
from wattline.wire.audio.wav import wav_seconds
from wattline.wire.audio.webm import webm_seconds

LEAST_BITS = 100
"""A second of speech takes some 6,000 bits, of silence some 400; a file that claims less lies."""

_AAC = 0x06
"""Bits of MPEG's layer: AAC without a container has none of them, and can't be measured."""


def seconds(file: IO[bytes], start: int = 0, end: int | None = None) -> Fraction | None:
    """Seconds of the recording in a file's bytes `start` to `end`; None when they can't be known.

    WAV, MP3, M4A/MP4, Ogg (Opus, Vorbis, FLAC, Speex), FLAC and WebM. The file is left anywhere. Bounded
    in time and memory whatever it holds, and blocking: run it in a thread. Never raises for what is in
    the file. Raises OSError when the file can't be read.
    """
    if end is None:
        end = file.seek(0, io.SEEK_END)
    excerpt = Excerpt(file, start, end)
    read = _reader(excerpt.read_at(0, 12))
    if read is None:
        return None
    excerpt.seek(0)
    try:
        found = read(excerpt)
    except Exhausted:
        return None
    if found is None or not 0 < found * LEAST_BITS <= excerpt.size * 8:
        return None
    return found


def _reader(head: bytes) -> Callable[[Excerpt], Fraction | None] | None:
    """What reads a file that begins like this."""
    if head.startswith((b"RIFF", b"RF64")) and head[8:] == b"WAVE":
        return wav_seconds
    if head.startswith(b"OggS"):
        return ogg_seconds
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return webm_seconds
    if head.startswith((b"ID3", b"fLaC")) or head[4:8] == b"ftyp" or _is_mpeg(head):
        return tagged_seconds
    return None


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0 and bool(head[1] & _AAC)
