"""Every error that a client can be told of. Whose fault it is comes first.

Rules of this file: a message says what was wrong, where, and what to do; it never holds a secret, a
prompt or an upstream's own text. Any exception that is not a `Fault` is a bug and answers 500.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import ClassVar


class Whose(StrEnum):
    """The party that has to act."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    OURS = "ours"


class Kind(StrEnum):
    """The family of a fault; each dialect maps it to its own error type."""

    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    RATE_LIMIT = "rate_limit"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    UPSTREAM = "upstream"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class Fault(Exception):
    """A failure that can be shown to the client.

    `status` is an HTTP status, `code` a stable snake_case word for programs, `param` the field at
    fault, `retry_after` seconds (None: don't say), `should_retry` what `x-should-retry` tells SDKs
    (None: don't say).
    """

    whose: ClassVar[Whose]

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        kind: Kind,
        param: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.kind = kind
        self.param = param
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.details: Mapping[str, object] = {}
        """What a program may want to know beside the code, in dialects that have a place for it."""
        self.allow: tuple[str, ...] = ()
        """The methods that the path takes, where the request's is none of them."""
        self.requested: str | None = None
        """The model that the refused call named, for the log of errors."""

    def about(self, param: str, sent: str) -> None:
        """Where it is about `param`, it is about `sent`: the name that the client gave it."""
        if self.param == param:
            self.param = sent

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.code}: {self.message}>"


class ClientFault(Fault):
    """The request can't be served as it is: the client must change it."""

    whose = Whose.CLIENT

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "invalid_request",
        kind: Kind = Kind.INVALID_REQUEST,
        param: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            code=code,
            kind=kind,
            param=param,
            retry_after=retry_after,
            should_retry=should_retry,
        )


class UpstreamFault(Fault):
    """A provider failed. `code` is one of `engine.failover`'s outcome codes."""

    whose = Whose.UPSTREAM

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        code: str,
        kind: Kind = Kind.UPSTREAM,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            code=code,
            kind=kind,
            retry_after=retry_after,
            should_retry=should_retry,
        )


class OurFault(Fault):
    """wattline can't serve the call: its configuration, its ledger, or a bug."""

    whose = Whose.OURS

    def __init__(
        self,
        message: str,
        *,
        status: int = 500,
        code: str = "internal_error",
        kind: Kind = Kind.INTERNAL,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            code=code,
            kind=kind,
            retry_after=retry_after,
            should_retry=should_retry,
        )


def wrong_method(
    message: str, allow: Iterable[str], code: str = "method_not_allowed"
) -> ClientFault:
    """A 405, with the methods that are taken (RFC 9110, 15.5.6)."""
    fault = ClientFault(message, status=405, code=code)
    fault.allow = tuple(sorted(allow))
    return fault
