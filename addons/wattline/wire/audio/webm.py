"""WebM and Matroska: RFC 8794 (EBML), RFC 9559 (elements).

Browsers record without a duration and with elements of unknown size. So the file is walked flat: an
element that can hold what is looked for is entered, all others are skipped; where it ends does not matter.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from wattline.wire.audio.excerpt import Excerpt

_SEGMENT = 0x18538067
_INFO = 0x1549A966
_SCALE = 0x2AD7B1
_DURATION = 0x4489
_CLUSTER = 0x1F43B675
_CLUSTER_TIME = 0xE7
_GROUP = 0xA0
_BLOCKS = frozenset({0xA3, 0xA1})
_ENTERED = frozenset({_SEGMENT, _INFO, _CLUSTER, _GROUP})

_HEAD = 12
"""Bytes of the longest id (4) and the longest size (8)."""
_PEEK = _HEAD + 10
"""And of a block's track (8 at most) and time (2)."""
_NANOSECONDS = 1_000_000_000
_USUAL_SCALE = 1_000_000
"""Nanoseconds of a tick, when the file does not say."""


class _Times:
    """The time of the last block, and the time between the last two that differ, in ticks."""

    def __init__(self) -> None:
        self.cluster = 0
        self._last = 0
        self._step = 0

    def block(self, relative: int) -> None:
        time = self.cluster + relative
        if time > self._last:
            self._step, self._last = time - self._last, time

    @property
    def end(self) -> int:
        """The last block is taken to be as long as the one before it."""
        return self._last + self._step


def webm_seconds(file: Excerpt) -> Fraction | None:
    """Seconds, as declared or else up to the last block; None when there is neither. Raises Exhausted,
    OSError.
    """
    scale = _USUAL_SCALE
    duration = Fraction(0)
    times = _Times()
    position = 0
    while (head := _head(peek := file.read_at(position, _PEEK))) is not None:
        element, size, length = head
        position += length
        if element in _ENTERED:
            if element == _CLUSTER and duration:
                break
            continue
        if size is None:
            break
        value = peek[length : length + min(size, 8)]
        if element == _SCALE:
            scale = int.from_bytes(value) or _USUAL_SCALE
        elif element == _DURATION:
            duration = _float(value)
        elif element == _CLUSTER_TIME:
            times.cluster = int.from_bytes(value)
        elif element in _BLOCKS:
            times.block(_relative(peek[length:]))
        position += size
    return (duration or times.end) * Fraction(scale, _NANOSECONDS) or None


def _head(peek: bytes) -> tuple[int, int | None, int] | None:
    """An element's id, its size (None: unknown) and the bytes of both; None when there is none."""
    first = _width(peek, 0)
    if first is None or first > 4:
        return None
    second = _width(peek, first)
    if second is None or len(peek) < first + second:
        return None
    bits = 7 * second
    size = int.from_bytes(peek[first : first + second]) & ((1 << bits) - 1)
    unknown = size == (1 << bits) - 1
    return int.from_bytes(peek[:first]), None if unknown else size, first + second


def _width(peek: bytes, at: int) -> int | None:
    """Bytes of the number that begins at a place: as many as its first byte has leading zeros, and 1."""
    if at >= len(peek) or peek[at] == 0:
        return None
    return 9 - peek[at].bit_length()


def _relative(block: bytes) -> int:
    """A block's time in its cluster, after the number of its track."""
    track = _width(block, 0)
    if track is None or len(block) < track + 2:
        return 0
    return int.from_bytes(block[track : track + 2], signed=True)


def _float(value: bytes) -> Fraction:
    """A positive number; 0 for anything else."""
    if len(value) not in (4, 8):
        return Fraction(0)
    (number,) = struct.unpack(">f" if len(value) == 4 else ">d", value)
    return Fraction(number) if 0 < number < float("inf") else Fraction(0)
