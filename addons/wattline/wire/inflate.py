"""Decompression of request bodies, with bounds on what comes out.

Only gzip and deflate, and only one of them at a time (RFC 9110, section 8.4): whatever else would hide
a body from the rules is refused. All of it is CPU-bound; run it in a thread.
"""

from __future__ import annotations

import zlib

from wattline.base.errors import ClientFault, Kind

RATIO_FLOOR = 1024 * 1024
"""Bytes: output up to here is no bomb, whatever its ratio."""
MAX_MEMBERS = 8
"""gzip allows many members one after another (RFC 1952, section 2.2); clients send one."""

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


def inflate(raw: bytes, encoding: str, *, max_bytes: int, max_ratio: int) -> bytes:
    """The body that `raw` holds in the content coding `encoding`.

    Not more than `max_bytes`, nor more than `max_ratio` times `raw` (past RATIO_FLOOR), is ever held.
    Raises ClientFault: 413 past a bound, 415 for another coding, 400 for broken data.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        if len(raw) > max_bytes:
            raise _too_large(max_bytes)
        return raw
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ClientFault(
            "This content-encoding is not supported. Send gzip, deflate, or the body as it is.",
            status=415,
            code="unsupported_encoding",
            param="content-encoding",
        )
    bound = min(max_bytes, max(max_ratio * len(raw), RATIO_FLOOR))
    if coding == "deflate":
        return _stream(raw, _ZLIB if _has_zlib_header(raw) else _RAW, bound)
    return _gzip(raw, bound)


def _gzip(raw: bytes, bound: int) -> bytes:
    out = b""
    for _ in range(MAX_MEMBERS):
        engine = zlib.decompressobj(_GZIP)
        out += _bounded(engine, raw, bound - len(out), bound)
        raw = engine.unused_data
        if not raw:
            return out
    raise _broken(f"it has more than {MAX_MEMBERS} gzip members")


def _stream(raw: bytes, wbits: int, bound: int) -> bytes:
    engine = zlib.decompressobj(wbits)
    out = _bounded(engine, raw, bound, bound)
    if engine.unused_data:
        raise _broken("there are bytes after its end")
    return out


def _bounded(engine: zlib._Decompress, raw: bytes, left: int, bound: int) -> bytes:
    try:
        out = engine.decompress(raw, left + 1)
    except zlib.error:
        raise _broken("it is not valid") from None
    if len(out) > left:
        raise _too_large(bound)
    if not engine.eof:
        raise _broken("it ends too early")
    return out


def _has_zlib_header(raw: bytes) -> bool:
    """`deflate` means zlib's format (RFC 1950), but some clients send bare deflate (RFC 1951)."""
    return len(raw) > 1 and raw[0] & 0x0F == zlib.DEFLATED and (raw[0] << 8 | raw[1]) % 31 == 0


def _too_large(bound: int) -> ClientFault:
    return ClientFault(
        f"The decompressed body is larger than {bound} bytes. Send less, or send it uncompressed.",
        status=413,
        code="body_too_large",
        kind=Kind.TOO_LARGE,
    )


def _broken(what: str) -> ClientFault:
    return ClientFault(
        f"The compressed body can't be read: {what}. Check what made it.",
        code="invalid_compression",
        param="content-encoding",
    )
