"""wattline: a sidecar edge proxy for LLM traffic, built as mitmproxy addons."""

__version__ = "0.1.0"
