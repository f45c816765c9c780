"""TLS towards providers. Verification can't be switched off."""

from __future__ import annotations

import ssl
from functools import lru_cache

import certifi


@lru_cache(maxsize=1)
def client_context() -> ssl.SSLContext:
    """The system's trust store and certifi's together: slim containers have no store of their own,
    company machines have a CA of their own.

    One for the process: to read some 150 certificates takes 60 ms and 1 MB. Nobody may change it.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
