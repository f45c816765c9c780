"""What a call keeps of a request's headers, in every dialect."""

from __future__ import annotations

from typing import Final

from wattline.base.errors import ClientFault
from wattline.wire.http import Headers

TAG_HEADER: Final = "x-wattline-tag"
MAX_TAGS: Final = 32
MAX_TAG: Final = 64

CREDENTIALS: Final = frozenset(
    {
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "proxy-authorization",
    }
)


def plain_headers(headers: Headers) -> dict[str, str]:
    """The first value of each header, credentials left out."""
    first: dict[str, str] = {}
    for key, value in headers:
        if key not in CREDENTIALS:
            first.setdefault(key, value)
    return first


def tags(headers: Headers) -> frozenset[str]:
    """The caller's tags. Raises ClientFault for too many, too long or unprintable ones."""
    found = {
        tag.strip()
        for key, value in headers
        if key == TAG_HEADER
        for tag in value.split(",")
        if tag.strip()
    }
    if len(found) > MAX_TAGS or any(len(tag) > MAX_TAG or not tag.isprintable() for tag in found):
        raise ClientFault(
            f"{TAG_HEADER} takes at most {MAX_TAGS} tags of at most {MAX_TAG} printable characters, "
            "with commas between them.",
            code="invalid_value",
            param=TAG_HEADER,
        )
    return frozenset(found)
