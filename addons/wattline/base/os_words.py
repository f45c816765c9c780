"""What the system refused, in words."""

from __future__ import annotations

import errno


def told(error: OSError) -> str:
    """A line without the error's number."""
    if error.errno == errno.EADDRINUSE:
        return "the port is in use: stop what listens there, or choose another (--port, PORT)"
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what
