"""Names of headers that rules.yaml may set, and of those that are credentials."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
CREDENTIALS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-auth-token",
        "cookie",
    }
)
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    }
)


def _header_name(text: str) -> str:
    name = text.lower()
    if not _HEADER.fullmatch(name):
        raise ValueError("not a header name")
    if name in CREDENTIALS:
        raise ValueError(f"{name} carries a credential: use `key` and `auth`")
    if name in _OURS:
        raise ValueError(f"{name} is set by wattline itself")
    return name


HeaderName = Annotated[str, AfterValidator(_header_name)]
