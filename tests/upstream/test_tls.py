from __future__ import annotations

import inspect
import ssl

from wattline.upstream.pool import AiohttpUpstream
from wattline.upstream.tls import client_context


def test_verification_is_on() -> None:
    """T25."""
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] > 100


def test_there_is_no_switch() -> None:
    """T25: no argument of the pool speaks of skipping it."""
    assert set(inspect.signature(AiohttpUpstream).parameters) == {
        "listeners",
        "resolve",
        "tls",
        "proxy",
        "per_host",
        "keepalive",
    }
