"""Ogg: its pages (RFC 3533), and the first packets of Opus (RFC 7845), Vorbis, FLAC and Speex.

Only the heads of pages are read. A file can be a chain of streams; their lengths add up.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from wattline.wire.audio.excerpt import Excerpt, Exhausted

_HEAD = struct.Struct("<4sBBqIIIB")
_HEAD_AND_TABLE = _HEAD.size + 255
_FIRST = 0x02
_OPUS_RATE = 48_000
_MAX_RATES = 16
"""Different rates in a chain. Their fractions are added up exactly, whose cost grows with each."""


class _Stream:
    """A stream of sound: samples a second, samples to skip at its start, samples so far."""

    def __init__(self, rate: int, skip: int = 0) -> None:
        self.rate = rate
        self.skip = skip
        self.samples = 0

    @property
    def heard(self) -> int:
        """Samples without those that are skipped."""
        return max(0, self.samples - self.skip)


def ogg_seconds(file: Excerpt) -> Fraction | None:
    """Seconds of sound in Opus, Vorbis, FLAC or Speex; None when there is no such stream. Raises
    Exhausted, OSError.
    """
    streams: dict[int, _Stream] = {}
    done: list[_Stream] = []
    position = 0
    while len(page := file.read_at(position, _HEAD_AND_TABLE)) > _HEAD.size:
        mark, version, kind, samples, serial, _, _, segments = _HEAD.unpack_from(page)
        if mark != b"OggS" or version != 0:
            break
        position += _HEAD.size + segments
        if kind & _FIRST:
            stream = _stream(file.read_at(position, 64))
            if serial in streams:
                done.append(streams.pop(serial))
            if stream is not None:
                streams[serial] = stream
        elif serial in streams:  # -1 when no packet ends on the page
            streams[serial].samples = max(samples, streams[serial].samples)
        position += sum(page[_HEAD.size : _HEAD.size + segments])
    return _sum((*done, *streams.values())) or None


def _sum(streams: Iterable[_Stream]) -> Fraction:
    samples: Counter[int] = Counter()
    for stream in streams:
        samples[stream.rate] += stream.heard
    if len(samples) > _MAX_RATES:
        raise Exhausted
    return sum((Fraction(count, rate) for rate, count in samples.items()), Fraction(0))


def _stream(packet: bytes) -> _Stream | None:
    """What a stream's first packet says; None when it is no sound that is known."""
    if packet.startswith(b"OpusHead") and len(packet) >= 19:
        return _Stream(_OPUS_RATE, int.from_bytes(packet[10:12], "little"))
    rate = 0
    if packet.startswith(b"\x01vorbis"):
        rate = int.from_bytes(packet[12:16], "little")
    elif packet.startswith(b"Speex   "):
        rate = int.from_bytes(packet[36:40], "little")
    elif packet.startswith(b"\x7fFLAC") and len(packet) >= 30:
        rate = int.from_bytes(packet[27:30], "big") >> 4
    return _Stream(rate) if rate else None
