"""Decompression with bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.wire.inflate import MAX_MEMBERS, inflate

MB = 1024 * 1024


def bare(raw: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(raw) + engine.flush()


def run(raw: bytes, encoding: str, max_bytes: int = 32 * MB, max_ratio: int = 100) -> bytes:
    return inflate(raw, encoding, max_bytes=max_bytes, max_ratio=max_ratio)


def fault(raw: bytes, encoding: str, **bounds: int) -> tuple[int, str]:
    with pytest.raises(ClientFault) as caught:
        run(raw, encoding, **bounds)
    return caught.value.status, caught.value.code


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_what_was_compressed_comes_out_again(raw: bytes) -> None:
    assert run(gzip.compress(raw), "gzip") == raw
    assert run(gzip.compress(raw), " X-GZIP ") == raw
    assert run(zlib.compress(raw), "deflate") == raw
    assert run(bare(raw), "Deflate") == raw
    assert run(raw, "identity") == raw
    assert run(raw, "") == raw


@pytest.mark.parametrize(
    "encoding",
    [
        "br",
        "zstd",
        "compress",
        "rot13",
        "bz2",
        "gzip, gzip",
        "gzip,identity",
        "gzip;q=1",
        "utf-16",
        "*",
        "\u0261zip",
    ],
)
def test_other_codings_are_refused(encoding: str) -> None:
    """T13: a coding that we don't read would hide the body from the rules."""
    assert fault(gzip.compress(b"{}"), encoding) == (415, "unsupported_encoding")


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"{}",
        b"\x1f\x8b",
        b"\x78\x9c",
        b"\x1f\x8b\x08" + b"\xff" * 40,
        b"\x00" * 100,
        b"PK\x03\x04",
    ],
    ids=repr,
)
def test_garbage_is_refused(raw: bytes, kind: str) -> None:
    assert fault(raw, kind)[0] == 400


def test_cut_broken_and_trailing_data_is_refused() -> None:
    for whole, kind in ((gzip.compress(b"x" * 99), "gzip"), (zlib.compress(b"x" * 99), "deflate")):
        for cut in range(len(whole)):
            assert fault(whole[:cut], kind)[0] == 400
        assert fault(whole + b"!", kind)[0] == 400
        broken = whole[:-1] + bytes([whole[-1] ^ 1])
        assert fault(broken, kind) == (400, "invalid_compression")


def test_several_gzip_members_are_one_body_but_not_without_end() -> None:
    assert run(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert fault(gzip.compress(b"") * (MAX_MEMBERS + 1), "gzip")[0] == 400
    half = gzip.compress(b"x" * 600)
    assert fault(half + half, "gzip", max_bytes=1000)[0] == 413


def test_bounds_are_exact() -> None:
    raw = bytes(range(250)) * 4
    for body, kind in (
        (gzip.compress(raw), "gzip"),
        (zlib.compress(raw), "deflate"),
        (raw, "identity"),
    ):
        assert run(body, kind, max_bytes=1000) == raw
        assert fault(body, kind, max_bytes=999) == (413, "body_too_large")


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_bomb_stops_early(kind: str) -> None:
    """T19: 64 MB from 64 kB is refused by its ratio, with little memory used."""
    zeros = b"\0" * (64 * MB)
    bomb = gzip.compress(zeros) if kind == "gzip" else zlib.compress(zeros)
    del zeros
    tracemalloc.start()
    assert fault(bomb, kind) == (413, "body_too_large")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 100 * len(bomb)


def test_a_small_body_may_compress_well() -> None:
    raw = b" " * (MB // 2)
    assert run(gzip.compress(raw), "gzip", max_ratio=10) == raw
