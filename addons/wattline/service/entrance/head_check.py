"""Heads that no honest client sends."""

from __future__ import annotations

import re

from wattline.base.errors import ClientFault, wrong_method
from wattline.dialects.sockets import PROTOCOLS, keys_in
from wattline.service.accounts.auth import query_key
from wattline.service.entrance.decision import RequestHead

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOOP = "loop_detected"
CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})

_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def check_head(head: RequestHead, pseudonym: str) -> None:
    """Refuse what no honest client sends: other methods, control characters in values, two
    credentials, our own mark in `Via`. Raises ClientFault.
    """
    if head.method not in METHODS and head.method != "CONNECT":
        text = "The request's method is not one that HTTP APIs use."
        raise wrong_method(text, METHODS, "bad_method")
    credentials = 0
    for name, value in head.headers:
        if not _VALUE.fullmatch(value):
            raise ClientFault(
                f"Header {name[:64]!r} has a control character in its value.", code="bad_header"
            )
        if name in CREDENTIALS:
            credentials += 1
        elif name == "via" and pseudonym in value:
            raise ClientFault(
                "This request has passed through this sidecar before: a provider's URL leads back "
                "here. Check `url` of the providers in rules.yaml.",
                status=508,
                code=LOOP,
            )
    if query_key(head.path) is not None:
        credentials += 1
    credentials += len(keys_in(head.all(PROTOCOLS)))
    if credentials > 1:
        raise ClientFault(
            "The request carries more than one credential (authorization, x-api-key, api-key, "
            "x-goog-api-key, key in the query, or a subprotocol). Send one.",
            code="several_credentials",
        )
