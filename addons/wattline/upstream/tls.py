"""TLS towards providers. Verification can't be switched off."""

from __future__ import annotations

import ssl

import certifi


def client_context() -> ssl.SSLContext:
    """The system's trust store and certifi's together: slim containers have no store of their own,
    company machines have a CA of their own. Reads files: make one for the process.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
