"""Which headers go to which origin.

An attempt's headers are made from nothing: an allow-list of the client's, the provider's fixed ones,
ours. The credential is not among them; it is added by the sender after `check` has seen that it
belongs to the origin of the request. A client's own key travels in one case only, a passed call, and
only to the host that the client named (`passed_headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from wattline.base.origin import AuthStyle, Origin
from wattline.rules.compiled.provider import Provider
from wattline.upstream.base import Broken, Outgoing
from wattline.wire.http import Headers

type Pairs = tuple[tuple[str, str], ...]

ATTEMPT_HEADER = "x-wattline-attempt"
"""Carries our id of an attempt upstream when asked for: tests count with it, apart from the ledger."""

_SINGLE = frozenset(
    {
        "accept",
        "anthropic-version",
        "content-type",
        "idempotency-key",
        "traceparent",
        "user-agent",
    }
)
_NEUTRAL = frozenset({"content-type", "idempotency-key", "traceparent", "tracestate", "user-agent"})
"""What means the same in every dialect."""
_REPEATED = frozenset({"anthropic-beta", "openai-beta", "tracestate"})
_FORWARDED_PREFIX = "x-stainless-"
"""What official SDKs tell about themselves (language, runtime, retry count)."""

_OURS = frozenset({"accept-encoding", "via"})

_NEVER_PASSED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-real-ip",
    }
)
"""Hop-by-hop (RFC 9110, 7.6.1), written by the sender, or about the client's place in its network."""
_NEVER_PASSED_PREFIXES = ("proxy-", "x-forwarded-", "x-wattline-")

_KEYS = frozenset({"api-key", "authorization", "x-api-key", "x-goog-api-key"})
_FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_WATCHED = _KEYS | _FRAMING

_LINES = re.compile(r"(?:[!#$%&'*+.^_`|~0-9a-z-]+: [\t\x20-\x7e\x80-\xff]*\n)*")


def outgoing_headers(
    client: Headers,
    provider: Provider,
    *,
    pseudonym: str = "wattline",
    attempt: str | None = None,
    foreign: bool = False,
) -> Pairs:
    """The headers of an attempt, without its credential. To a `foreign` provider, one of another dialect
    than the client's, go none that speak of the client's own.

    The provider's fixed headers replace the client's of the same name. Of a header that can stand
    only once the first counts. `pseudonym` is our name in `Via` (RFC 9110, 7.6.3), `attempt` an id for
    `ATTEMPT_HEADER`.
    """
    taken = _OURS.union(name for name, _ in provider.headers)
    headers: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in client:
        if foreign and name not in _NEUTRAL:
            continue
        if name in _SINGLE or name.startswith(_FORWARDED_PREFIX):
            if name in seen:
                continue
            seen.add(name)
        elif name not in _REPEATED:
            continue
        if name not in taken:
            headers.append((name, value))
    headers += provider.headers
    headers += ("via", f"1.1 {pseudonym}"), ("accept-encoding", "identity")
    if attempt is not None:
        headers.append((ATTEMPT_HEADER, attempt))
    return tuple(headers)


def passed_headers(headers: Headers, origin: Origin, *, pseudonym: str = "wattline") -> Pairs:
    """A client's own headers, its key included, for the host that it named: `origin` must be where
    they go. Raises Broken: `unsendable` when the client sent a key more than once, `credential_origin`
    when its `Host` names another host than `origin`.
    """
    for name, value in headers:
        if name == "host" and not _names(value, origin):
            raise Broken("credential_origin", f"the client's Host is not {origin}: not sent")
    dropped = _NEVER_PASSED.union(_named_by_connection(headers))
    kept = [
        (name, value)
        for name, value in headers
        if name not in dropped and not name.startswith(_NEVER_PASSED_PREFIXES)
    ]
    _check_keys_once(origin, kept)
    kept += ("via", f"1.1 {pseudonym}"), ("accept-encoding", "identity")
    return tuple(kept)


def _names(host: str, origin: Origin) -> bool:
    authority = str(origin).split("://", 1)[1]
    return host.lower() in {authority, f"{authority}:{origin.port}"}


def _named_by_connection(headers: Headers) -> Iterable[str]:
    for name, value in headers:
        if name == "connection":
            yield from (option.strip().lower() for option in value.split(","))


def check(outgoing: Outgoing) -> None:
    """That a credential goes to its own origin, and that no header speaks for the sender.

    Raises Broken (`credential_origin`, `unsendable`); nothing has been sent then.
    """
    credential, origin = outgoing.credential, outgoing.origin
    if credential is not None and credential.origin != origin:
        raise Broken(
            "credential_origin",
            f"the credential belongs to {credential.origin}, the request goes to {origin}: not sent",
        )
    for name, _ in outgoing.headers:
        if name in _WATCHED:
            _check_watched(outgoing)
            return


def _check_watched(outgoing: Outgoing) -> None:
    names = [name for name, _ in outgoing.headers if name in _WATCHED]
    for name in names:
        if name in _FRAMING:
            raise Broken("unsendable", f"the sender alone writes {name!r} to {outgoing.origin}")
    if outgoing.credential is not None:
        raise Broken(
            "credential_origin",
            f"{names[0]!r} beside the credential of {outgoing.origin}: not sent",
        )
    _check_keys_once(outgoing.origin, outgoing.headers)


def _check_keys_once(origin: Origin, headers: Headers) -> None:
    names = [name for name, _ in headers if name in _KEYS]
    if len(names) > len(set(names)):
        raise Broken("unsendable", f"more than one key in one header for {origin}: not sent")


def header_lines(outgoing: Outgoing) -> str:
    """The header lines with the credential, each ended by LF: the sender makes them CRLF.

    Raises Broken (`unsendable`) for a name that is no lower-case token or a value with a character
    that would end its line (RFC 9110, 5.5).
    """
    lines = [f"{name}: {value}\n" for name, value in outgoing.headers]
    credential = outgoing.credential
    if credential is not None and credential.style is not AuthStyle.NONE:
        lines.append("{}: {}\n".format(*credential.header()))
    text = "".join(lines)
    if text.count("\n") != len(lines) or not _LINES.fullmatch(text):
        raise Broken("unsendable", _which_line(outgoing, lines))
    return text


def _which_line(outgoing: Outgoing, lines: list[str]) -> str:
    for (name, _), line in zip(outgoing.headers, lines, strict=False):
        if line.count("\n") > 1 or not _LINES.fullmatch(line):
            return (
                f"header {ascii(name)[:60]} for {outgoing.origin} holds a character that it can't"
            )
    return (
        f"the credential of {outgoing.origin} holds a character that no header can carry, perhaps a "
        "line end; check the environment variable that it comes from"
    )
