"""A-117: the length of a recording, exact where its format says it."""

from __future__ import annotations

import io
import random
import struct
import time
import wave
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.wire.audio.duration import seconds

SECOND = Fraction(1)


def wav(samples: int, rate: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(samples * channels * width))
    return made.getvalue()


def adpcm(samples: int, *, fact: bool) -> bytes:
    """5,588 bytes are about a second; the count of samples is exact."""
    form = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", 2, 1, 11_025, 5588, 256, 4)
    count = b"fact\x04\0\0\0" + struct.pack("<I", samples) if fact else b""
    data = b"data" + struct.pack("<I", 5700) + bytes(5700)
    return b"RIFF\0\0\0\0WAVE" + form + count + data


# MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes, 1152 samples.
FRAME = b"\xff\xfb\x90\x64".ljust(417, b"\0")
FRAME_SECONDS = Fraction(1152, 44_100)
ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)


def xing(frames: int, size: int) -> bytes:
    head = FRAME[:4] + bytes(32) + b"Xing" + struct.pack(">III", 3, frames, size)
    return head.ljust(417, b"\0")


def vbri(frames: int, size: int) -> bytes:
    head = FRAME[:4] + bytes(32) + b"VBRI" + bytes(6) + struct.pack(">II", size, frames)
    return head.ljust(417, b"\0")


def mp3_with_rates(bitrates: list[int]) -> bytes:
    codes = {32: 1, 64: 5, 128: 9, 256: 13}
    frames = [
        bytes([0xFF, 0xFB, codes[rate] << 4, 0x64]).ljust(144_000 * rate // 44_100, b"\0")
        for rate in bitrates
    ]
    return b"".join(frames)


def flac(samples: int, rate: int) -> bytes:
    packed = (rate << 44) | (15 << 36) | samples
    info = bytes(10) + packed.to_bytes(8, "big") + bytes(16)
    comment = struct.pack("<I", 4) + b"test" + struct.pack("<I", 0)
    return (
        b"fLaC\x00\x00\x00\x22"
        + info
        + b"\x84"
        + len(comment).to_bytes(3, "big")
        + comment
        + bytes(samples // 50)
    )


def atom(name: bytes, *inner: bytes) -> bytes:
    body = b"".join(inner)
    return struct.pack(">I", len(body) + 8) + name + body


def m4a(duration: int, scale: int, *, version: int = 0, front: bool = True) -> bytes:
    times = bytes(16) if version else bytes(8)
    numbers = struct.pack(">IQ" if version else ">II", scale, duration)
    moov = atom(b"moov", atom(b"mvhd", bytes([version, 0, 0, 0]), times, numbers, bytes(80)))
    data = atom(b"mdat", bytes(20_000))
    start = atom(b"ftyp", b"M4A \0\0\0\0")
    return start + (moov + data if front else data + moov)


def page(packet: bytes, samples: int, *, serial: int = 7, kind: int = 0) -> bytes:
    table = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, samples, serial, 0, 0, len(table))
    return head + table + packet


def ogg(first: bytes, samples: int, *, serial: int = 7, last: int = 4) -> bytes:
    middle = page(bytes(1000), samples // 2, serial=serial) + page(bytes(300), -1, serial=serial)
    return (
        page(first, 0, serial=serial, kind=2)
        + page(b"OpusTags", 0, serial=serial)
        + middle
        + page(bytes(900), samples, serial=serial, kind=last)
    )


OPUS = b"OpusHead\x01\x01" + struct.pack("<HI", 312, 16_000) + bytes(3)
VORBIS = b"\x01vorbis" + struct.pack("<IBI", 0, 1, 44_100) + bytes(14)
SPEEX = b"Speex   " + bytes(28) + struct.pack("<I", 16_000) + bytes(40)
OGG_FLAC = b"\x7fFLAC\x01\x00\x00\x01fLaC\x00\x00\x00\x22" + flac(0, 48_000)[8:42]


def element(name: str, value: bytes, *, unknown: bool = False) -> bytes:
    size = b"\x01" + b"\xff" * 7 if unknown else (len(value) | 1 << 56).to_bytes(8)
    return bytes.fromhex(name) + size + value


def webm(*parts: bytes, duration: float | None = None, unknown: bool = True) -> bytes:
    told = b"" if duration is None else element("4489", struct.pack(">d", duration))
    info = element("1549a966", element("2ad7b1", b"\x0f\x42\x40") + told)
    tracks = element("1654ae6b", bytes(40))
    inner = b"".join((info, tracks, *parts))
    return element("1a45dfa3", b"webm") + element("18538067", inner, unknown=unknown)


def cluster(time: int, blocks: list[int], *, unknown: bool = True, group: bool = False) -> bytes:
    inner = element("e7", time.to_bytes(2))
    for at in blocks:
        data = b"\x81" + at.to_bytes(2, signed=True) + b"\x80" + bytes(50)
        inner += element("a0", element("a1", data)) if group else element("a3", data)
    return element("1f43b675", inner, unknown=unknown)


CASES = {
    "wav": (wav(35_200), Fraction(22, 10)),
    "wav 24 bit stereo": (wav(29_400, 44_100, 2, 3), Fraction(2, 3)),
    "wav with a chunk before": (
        wav(16_000)[:12] + b"LIST\x03\0\0\0abc\0" + wav(16_000)[12:],
        SECOND,
    ),
    "wav from a pipe": (wav(16_000)[:40] + b"\xff\xff\xff\xff" + bytes(32_000), SECOND),
    "wav without a length": (wav(16_000)[:40] + bytes(4) + bytes(32_000), SECOND),
    "wav cut in half": (wav(16_000)[: 44 + 16_000], SECOND / 2),
    "wav of adpcm": (adpcm(12_345, fact=True), Fraction(12_345, 11_025)),
    "wav of adpcm, no sample count": (adpcm(11_025, fact=False), Fraction(5700, 5588)),
    "mp3": (FRAME * 100, FRAME_SECONDS * 100),
    "mp3 with tags": (ID3 + FRAME * 100 + b"TAG".ljust(128, b"\0"), FRAME_SECONDS * 100),
    "mp3 vbr, xing": (xing(200, 417 * 51) + FRAME * 50, FRAME_SECONDS * 200),
    "mp3 vbr, vbri": (vbri(300, 417 * 51) + FRAME * 50, FRAME_SECONDS * 300),
    "mp3 vbr, no header": (mp3_with_rates([32, 64, 128, 256] * 30), FRAME_SECONDS * 120),
    "m4a": (m4a(3500, 1000), Fraction(35, 10)),
    "m4a, 64 bits": (m4a(44_101, 44_100, version=1), Fraction(44_101, 44_100)),
    "m4a, moov last": (m4a(96_000, 48_000, front=False), SECOND * 2),
    "flac": (flac(88_201, 44_100), Fraction(88_201, 44_100)),
    "flac behind id3": (ID3 + flac(88_200, 44_100), SECOND * 2),
    "opus": (ogg(OPUS, 48_312), SECOND),
    "opus without an end": (ogg(OPUS, 48_312, last=0), SECOND),
    "opus, chained": (ogg(OPUS, 48_312) + ogg(OPUS, 96_312), SECOND * 3),
    "opus, chained with other serial": (
        ogg(OPUS, 48_312) + ogg(OPUS, 96_312, serial=8),
        SECOND * 3,
    ),
    "vorbis": (ogg(VORBIS, 22_050), SECOND / 2),
    "speex": (ogg(SPEEX, 16_000), SECOND),
    "ogg flac": (ogg(OGG_FLAC, 24_000), SECOND / 2),
    "webm with a duration": (webm(cluster(0, [0, 20]), duration=2500.0), Fraction(5, 2)),
    "webm of a browser": (
        webm(cluster(0, [0, 60]), cluster(1000, [0, 60, 120])),
        Fraction(118, 100),
    ),
    "webm of known sizes": (
        webm(
            cluster(0, [0, 20], unknown=False), cluster(940, [0, 40], unknown=False), unknown=False
        ),
        Fraction(102, 100),
    ),
    "webm with groups": (webm(cluster(500, [-20, 0, 20], group=True)), Fraction(54, 100)),
}


@pytest.mark.parametrize("name", CASES)
def test_length_is_exact(name: str) -> None:
    data, expected = CASES[name]
    assert seconds(io.BytesIO(data)) == expected


@pytest.mark.parametrize("name", CASES)
def test_length_of_a_part_of_a_file(name: str) -> None:
    """As in a form: nothing before or after the part counts."""
    data, expected = CASES[name]
    around = io.BytesIO(FRAME * 3 + data + FRAME * 300)
    assert seconds(around, 3 * len(FRAME), 3 * len(FRAME) + len(data)) == expected


@pytest.mark.parametrize("name", CASES)
def test_every_cut_and_every_flipped_byte_is_read_or_unknown(name: str) -> None:
    data, _ = CASES[name]
    for cut in (*range(min(len(data), 200)), *range(200, len(data), 1997)):
        found = seconds(io.BytesIO(data[:cut]))
        assert found is None or found > 0
    flips = random.Random(name)
    for _ in range(60):
        wrong = bytearray(data)
        for _ in range(flips.randrange(1, 4)):
            wrong[flips.randrange(min(len(data), 300))] = flips.choice((0, 1, 127, 128, 255))
        found = seconds(io.BytesIO(wrong))
        assert found is None or found > 0


STARTS = (
    b"",
    b"RIFF\xff\xff\xff\xffWAVE",
    b"OggS",
    b"\x1a\x45\xdf\xa3",
    b"ID3\x04\0\0",
    b"fLaC",
    b"\0\0\0\x20ftyp",
    b"\xff\xfb",
    b"\xff\xf1",
)


@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_garbage_is_unknown_or_a_length(start: bytes, rest: bytes) -> None:
    found = seconds(io.BytesIO(start + rest))
    assert found is None or found > 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"not audio at all" * 100,
        b"\xff\xf1\x50\x80" * 1000,  # AAC without a container
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        wav(0),
        wav(100).replace(struct.pack("<I", 16_000), bytes(4), 1)[:28] + bytes(40),
        m4a(0, 1000),
        m4a(1000, 0),
        flac(0, 44_100),
        flac(1000, 0),
        ogg(OPUS, 0),
        ogg(b"\x80theora" + bytes(40), 1000),
        webm(),
        webm(duration=float("nan")),
        webm(duration=float("inf")),
        webm(duration=-1.0),
        ID3,
    ],
)
def test_what_has_no_length_is_unknown(data: bytes) -> None:
    assert seconds(io.BytesIO(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        m4a(2**32 - 1, 1),
        m4a(2**63, 1, version=1),
        xing(2**31 - 1, 417 * 51) + FRAME * 50,
        flac(2**36 - 1, 1)[:200],
        ogg(OPUS, 2**62),
        webm(duration=1e300),
        webm(cluster(65_535, [32_767]), element("2ad7b1", b"\xff" * 8), cluster(65_535, [0])),
    ],
)
def test_length_that_such_a_file_can_not_have_is_unknown(data: bytes) -> None:
    assert seconds(io.BytesIO(data)) is None


class Endless(io.RawIOBase):
    """A file of 300 MB of which each read gives the same bytes, without holding them."""

    def __init__(self, start: bytes, again: bytes, size: int = 300_000_000) -> None:
        self.start, self.again, self.size, self.at, self.most = start, again, size, 0, 0

    def read(self, size: int = -1, /) -> bytes:
        size = min(size, self.size - self.at) if size >= 0 else self.size - self.at
        self.most = max(self.most, size)
        offset = (self.at - len(self.start)) % len(self.again)
        head = self.start[self.at : self.at + size]
        body = (self.again * (size // len(self.again) + 2))[offset : offset + size - len(head)]
        self.at += size
        return head + body

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.at = (0, self.at, self.size)[whence] + offset
        return self.at


HOSTILE = {
    "mp3 garbage": (b"\xff\xfb\x90\x64", b"\x00"),
    "mp3 false syncs": (b"\xff\xfb\x90\x64", b"\xff\xff\xff\x00"),
    "mp3 shortest frames": (b"", b"\xff\xfb\x14\x64\xff"),
    "wav of chunks": (b"RIFF\xff\xff\xff\xffWAVE", b"LIST\x00\x00\x00\x00"),
    "wav of formats": (b"RIFF\xff\xff\xff\xffWAVE", b"fmt \x00\x00\x00\x00"),
    "ogg of empty pages": (page(OPUS, 0, kind=2), page(b"", 5)),
    "ogg of streams": (page(OPUS, 0, kind=2), page(OPUS, 0, kind=2)),
    "webm of nothing": (webm(), b"\xec\x80"),
    "webm of blocks": (webm(), b"\xa3\x84\x81\x00\x01\x80"),
    "flac of paddings": (flac(1000, 8000)[:42], b"\x01\x00\x00\x00"),
    "flac of comments": (flac(1000, 8000)[:42] + b"\x04\xff\xff\xff", b"\x01\x00\x00\x00"),
    "flac of pictures": (flac(1000, 8000)[:42], b"\x06\x00\x00\x00" + bytes(32)),
    "m4a of atoms": (atom(b"ftyp", b"M4A "), atom(b"free")),
    "m4a of headers": (atom(b"ftyp", b"M4A ") + b"\x7f\xff\xff\xffmoov", atom(b"mvhd", bytes(100))),
    "m4a of a huge header": (
        atom(b"ftyp", b"M4A ") + b"\x7f\xff\xff\xffmoov" + b"\x10\x00\x00\x00mvhd",
        b"\x00",
    ),
    "id3 of a huge size": (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\x00"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_the_reading_soon(name: str) -> None:
    """300 MB each: little of it is read, in small blocks."""
    file = Endless(*HOSTILE[name])
    began = time.thread_time()
    found = seconds(file)
    assert time.thread_time() - began < 5
    assert found is None or found > 0
    assert file.most <= 1024 * 1024


def test_ogg_of_a_thousand_rates_is_not_added_up() -> None:
    """The sum of so many fractions would take minutes, and hold the interpreter meanwhile."""
    chain = b"".join(
        page(
            b"\x01vorbis" + struct.pack("<IBI", 0, 1, 4_000_000_001 + 2 * number),
            0,
            serial=number,
            kind=2,
        )
        + page(b"", 1000, serial=number)
        for number in range(20_000)
    )
    began = time.thread_time()
    assert seconds(io.BytesIO(chain)) is None
    assert time.thread_time() - began < 2


def test_file_that_can_not_be_read_is_told() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002  (a file is asked so)
            raise OSError(5, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        seconds(Broken(b"x" * 100))
