"""What can go wrong on the way to an upstream, each mapped once to `Broken`."""

from __future__ import annotations

import errno

import aiohttp
from aiohttp.http import HttpProcessingError
from aiohttp.streams import EofStream

from wattline.base.origin import Origin
from wattline.upstream.base import Broken


class NotHttp(Exception):
    """The answer's head can't be accepted; the message says why, without quoting it."""


class UnreadableBody(Exception):
    """The request's own body could not be read to its end."""


CONNECT_ERRORS = (aiohttp.ClientError, OSError, ValueError)
"""ValueError: a resolver's answer that is no address."""
LOST = (aiohttp.ClientConnectionError, ConnectionError, EofStream)
HEAD_ERRORS = (*LOST, OSError, HttpProcessingError, NotHttp, UnreadableBody)


def connect_fault(error: Exception, origin: Origin, seconds: float) -> Broken:
    """Why there is no connection. No byte of the request was sent."""
    match error:
        case TimeoutError(errno=None):
            return Broken("connect_timeout", f"no connection to {origin} within {seconds:.3g} s")
        case aiohttp.ClientConnectorDNSError():
            return Broken("dns", f"the host of {origin} can't be resolved")
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "not valid"
            return Broken("tls", f"the certificate of {origin} was refused: {reason}")
        case aiohttp.ClientSSLError():
            return Broken("tls", f"no TLS connection to {origin}: the handshake failed")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Broken("unreachable", f"no connection to {origin} through the outbound proxy")
        case ValueError():
            return Broken("dns", f"the host of {origin} resolves to something that is no address")
        case OSError(errno=errno.ECONNREFUSED):
            return Broken("refused", f"{origin} refused the connection")
    return Broken("unreachable", f"no connection to {origin}{_system_reason(error)}")


def head_fault(error: BaseException, origin: Origin, *, late: str | None, reused: bool) -> Broken:
    """Why there is no answer. `late` names the time limit that ran out, if one did."""
    match error:
        case TimeoutError(errno=None) if late == "total_timeout":
            code, said = "total_timeout", f"{origin} did not answer within the total time"
        case TimeoutError(errno=None):
            code, said = (
                "first_byte_timeout",
                f"{origin} took the request and did not answer in time",
            )
        case HttpProcessingError():
            code, said = (
                "bad_answer",
                f"the answer of {origin} is not HTTP or its head is too large",
            )
        case NotHttp():
            code, said = "bad_answer", f"the answer of {origin} can't be accepted: {error}"
        case UnreadableBody():
            code, said = "unsendable", f"the request's body for {origin} could not be read"
        case _:
            code, said = "reset", f"{origin} closed the connection before it answered"
    return Broken(code, said, sent=True, reused=reused)


def _system_reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    name = errno.errorcode.get(number or 0)
    return f" ({name})" if name else ""
