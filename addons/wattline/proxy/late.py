"""What comes to a stream from the clock, not from its client."""

from __future__ import annotations

from mitmproxy.proxy.layers.http import HttpEvent


class BodyLate(HttpEvent):
    """A request's body took too long."""


class PageOver(HttpEvent):
    """The sidecar stops, and waits no longer for a page."""
