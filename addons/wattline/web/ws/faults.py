"""What a WebSocket's messages are refused for, beside what the call itself is."""

from __future__ import annotations

from wattline.base.errors import ClientFault, Kind


def key_needed() -> ClientFault:
    """Nobody knows yet who this is."""
    return ClientFault(
        'A key is needed: send {"type": "auth", "apiKey": …} first, or Authorization: Bearer with the '
        "upgrade.",
        status=401,
        code="auth_required",
        kind=Kind.AUTHENTICATION,
    )


def taken() -> ClientFault:
    """Two requests with one id."""
    return ClientFault(
        "A request with this id is under way on this connection. Give each its own.",
        code="duplicate_request_id",
    )


def too_many(count: int) -> ClientFault:
    """No room for another request, or for its bytes."""
    return ClientFault(
        f"{count} requests are under way on this connection. Wait for one to end.",
        status=429,
        code="too_many_requests",
        kind=Kind.RATE_LIMIT,
    )


def not_text() -> ClientFault:
    """A binary message."""
    return ClientFault("Send text messages, each one a JSON object.", code="not_text")
