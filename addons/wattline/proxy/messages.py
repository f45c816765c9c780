"""Answers of ours as mitmproxy's responses."""

from __future__ import annotations

import time

from mitmproxy import http
from mitmproxy.net.http import status_codes

from wattline.proxy.header_lookup import EdgeHeaders
from wattline.wire.header_names import wire_name
from wattline.wire.http import Head, Whole
from wattline.wire.notice import STANDING, Notice

_BODILESS = frozenset({101, 204, 304})
"""They have no body, and no header that frames one (RFC 9110, 8.6; RFC 9112, 6.1)."""


def whole_response(answer: Whole) -> http.Response:
    """A response with its body and its length."""
    fields = _fields(answer)
    if answer.status not in _BODILESS:
        fields.append((b"content-length", b"%d" % len(answer.body)))
    return _response(answer.status, fields, answer.body)


def stream_response(answer: Head, request: http.Request) -> http.Response:
    """A response whose body follows in pieces, framed as the client's HTTP version needs; after a 101
    they are no body and have no frame.
    """
    fields = _fields(answer)
    if answer.status in _BODILESS:
        return _response(answer.status, fields, b"")
    if request.data.http_version == b"HTTP/1.1":
        fields.append((b"transfer-encoding", b"chunked"))
    elif request.data.http_version == b"HTTP/1.0":
        fields.append((b"connection", b"close"))
    response = _response(answer.status, fields, None)
    response.stream = True
    return response


def tell(response: http.Response, notice: Notice) -> None:
    """Add what a notice says to an answer's head; a provider's own limits are not our callers'."""
    told = list(notice.headers)
    dropped = {name for name, _ in told if name != "vary"}
    if notice.standing is not None:
        told += notice.standing.headers()
        dropped |= STANDING
    fields = response.headers.fields
    kept = (pair for pair in fields if pair[0].decode("latin-1").lower() not in dropped)
    response.headers.fields = (*kept, *((name.encode(), value.encode()) for name, value in told))


def _fields(answer: Head | Whole) -> list[tuple[bytes, bytes]]:
    return [(wire_name(k), v.encode("latin-1", "replace")) for k, v in answer.headers]


def _response(status: int, fields: list[tuple[bytes, bytes]], body: bytes | None) -> http.Response:
    now = time.time()
    reason = status_codes.RESPONSES.get(status, "").encode()
    return http.Response(b"HTTP/1.1", status, reason, EdgeHeaders(fields), body, None, now, now)
