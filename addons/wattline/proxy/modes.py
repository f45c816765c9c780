"""mitmproxy's proxy modes as an operator writes them."""

from __future__ import annotations

from mitmproxy.proxy.mode_specs import ProxyMode


def unfit_mode(text: str) -> str | None:
    """Why this can't be a mode; None when it can."""
    try:
        ProxyMode.parse(text)
    except ValueError as error:
        return str(error)
    return None
