"""What browsers are told about pages of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

import re
from typing import Final

from wattline.rules.compiled.entrance import Cors
from wattline.wire.http import Whole
from wattline.wire.notice import Pairs

METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED_METHOD: Final = "access-control-request-method"
ASKED_HEADERS: Final = "access-control-request-headers"
ASKED_NETWORK: Final = "access-control-request-private-network"
USUAL_HEADERS: Final = "authorization, content-type, x-api-key"
EXPOSED: Final = ", ".join(
    (
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
        "x-should-retry",
        "x-token-cost",
        "idempotent-replayed",
        *(
            f"x-wattline-{name}"
            for name in (
                *("attempts", "cache", "call", "demo", "dialog", "drill", "dropped", "estimated"),
                *("fault", "idempotent", "model", "provider", "rule", "upstream-request-id"),
            )
        ),
    )
)
"""Headers of answers that a page may read beside the usual ones."""
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_MAX_NAMES = 4_096


def granted(cors: Cors, origin: str) -> Pairs:
    """On the answer to a page that may call."""
    if cors.anybody:
        return (("access-control-allow-origin", "*"), ("access-control-expose-headers", EXPOSED))
    pairs: Pairs = (
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", EXPOSED),
        ("vary", "Origin"),
    )
    if cors.credentials:
        pairs += (("access-control-allow-credentials", "true"),)
    return pairs


def preflight(cors: Cors, headers: str | None, *, network: bool) -> Whole:
    """The answer to a browser that asks before it sends: whatever a page of an allowed origin sends, the request
    itself is judged as any other. `headers` are those it would send, `network`: it comes from a wider network.
    """
    asked = (
        headers if headers and len(headers) <= _MAX_NAMES and _NAMES.fullmatch(headers) else None
    )
    pairs: Pairs = (
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", asked or USUAL_HEADERS),
        ("access-control-max-age", str(int(cors.max_age))),
        ("vary", f"{ASKED_METHOD}, {ASKED_HEADERS}, {ASKED_NETWORK}"),
    )
    if network:
        pairs += (("access-control-allow-private-network", "true"),)
    return Whole(204, pairs, b"")
