"""Headers that keep a browser from making more of our answers than they are (D-006)."""

from __future__ import annotations

from typing import Final

from wattline.wire.http import Whole

SAFE: Final = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
)
"""On each answer that does not set its own. Strict-Transport-Security is left to whoever has the certificate."""


def safe(answer: Whole) -> Whole:
    """With those that it does not have."""
    names = {name for name, _ in answer.headers}
    more = (pair for pair in SAFE if pair[0] not in names)
    return Whole(answer.status, (*answer.headers, *more), answer.body)
