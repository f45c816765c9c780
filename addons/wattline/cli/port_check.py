"""Whether the sidecar could listen where it is told to, and who told it."""

from __future__ import annotations

import errno
import socket

from wattline.base.settings import Settings
from wattline.cli.finding import Finding, Mark
from wattline.rules.compiled.entrance import Listen

_PORT_NAMES = ("WATTLINE_PORT", "PORT")
_HOST_NAMES = ("WATTLINE_HOST", "HOST")


def try_listen(settings: Settings, listen: Listen) -> Finding:
    """Take the address for a moment. `listen` is that of rules.yaml."""
    host = settings.host or listen.host
    port = settings.port if settings.port is not None else listen.port
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:
        reason, advice = _trouble(error, settings, host, port)
        return Finding(Mark.BAD, f"can't listen on {address}: {reason}", advice)
    return Finding(Mark.GOOD, f"{address} is free")


def _trouble(
    error: OSError | UnicodeError, settings: Settings, host: str, port: int
) -> tuple[str, str]:
    """What is wrong and what to do."""
    of_port = _source(settings, _PORT_NAMES, given=settings.port is not None)
    of_host = _source(settings, _HOST_NAMES, given=settings.host is not None)
    other = "another port with WATTLINE_PORT or `wattline serve --port`."
    here = f"Set {_HOST_NAMES[0]} to an address of this machine, such as 127.0.0.1."
    # First: its numbers are not those of errno.
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the name {host!r} (from {of_host}) leads to no address", here
    if error.errno == errno.EADDRINUSE:
        reason = f"another program listens there (the port is from {of_port})"
        return reason, f"Stop it, or choose {other}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"this user may not use port {port} (from {of_port})", f"Choose {other}"
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return f"this machine has no address {host} (from {of_host})", here
    return (
        f"{error.strerror or error} (host from {of_host}, port from {of_port})",
        f"Choose {other}",
    )


def _source(settings: Settings, names: tuple[str, ...], *, given: bool) -> str:
    """Where a setting is from."""
    if not given:
        return "rules.yaml, `listen`"
    return next((name for name in names if settings.env.get(name)), "the command line")
