"""WAV: chunks in RIFF.

https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from wattline.wire.audio.excerpt import Excerpt

MAX_CHUNKS = 1_000
_FMT = struct.Struct("<HHIIH")
"""Format, channels, sample rate, bytes a second, bytes of one sample of all channels."""
_PCM = frozenset({0x0001, 0x0003, 0xFFFE})
"""Integers, floats, and the extended header, which nobody uses for anything else."""


@dataclass(slots=True)
class _Sound:
    """What the chunks before `data` say; 0 is unknown. `samples` stands in compressed files only."""

    pcm: bool = False
    rate: int = 0
    per_second: int = 0
    samples: int = 0

    def read_format(self, chunk: bytes) -> None:
        if len(chunk) == _FMT.size:
            kind, _, self.rate, average, block = _FMT.unpack(chunk)
            self.pcm = kind in _PCM
            self.per_second = self.rate * block if self.pcm else average

    def seconds(self, size: int) -> Fraction | None:
        """Seconds of so many bytes."""
        if not self.pcm and self.samples and self.rate:
            return Fraction(self.samples, self.rate)
        return Fraction(size, self.per_second) if self.per_second else None


def wav_seconds(file: Excerpt) -> Fraction | None:
    """Seconds of the first `data` chunk, as far as it is there: who writes to a pipe does not know its
    length and declares the largest, or 0. None when there is none. Raises Exhausted, OSError.
    """
    position = 12
    sound = _Sound()
    for _ in range(MAX_CHUNKS):
        head = file.read_at(position, 8)
        if len(head) < 8:
            return None
        position += 8
        size = int.from_bytes(head[4:], "little")
        if head.startswith(b"fmt "):
            sound.read_format(file.read_at(position, _FMT.size))
        elif head.startswith(b"fact"):
            sound.samples = int.from_bytes(file.read_at(position, 4), "little")
        elif head.startswith(b"data"):
            left = file.size - position
            return sound.seconds(min(size or left, left))
        position += size + size % 2
    return None
