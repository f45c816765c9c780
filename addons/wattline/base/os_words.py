"""What the system refused, in words."""

from __future__ import annotations

import errno
import re
from typing import Final

_LISTENER: Final = re.compile(r" failed to listen on (\S{1,300}) with ")
"""mitmproxy's words."""


def told(error: OSError) -> str:
    """A line without the error's number."""
    if error.errno == errno.EADDRINUSE:
        where = _LISTENER.search(str(error))
        which = f"the port of {where[1]}" if where else "the port"
        return f"{which} is in use: stop what listens there, or choose another (--port, PORT)"
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what
