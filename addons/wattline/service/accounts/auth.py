"""Who calls: headers to a principal."""

from __future__ import annotations

import base64
import binascii
from typing import Final, Protocol
from urllib.parse import parse_qsl

from wattline.base.errors import ClientFault, Kind
from wattline.base.ids import hash_secret
from wattline.dialects.sockets import PROTOCOLS, keys_in
from wattline.rules.compiled.entrance import Auth
from wattline.service.accounts.directory import Find, Read, nobody
from wattline.service.accounts.tokens import looks_like_token
from wattline.wire.call import LOCAL, Principal, Role


class Headed(Protocol):
    """Anything with headers."""

    @property
    def path(self) -> str:
        """The target, query included."""
        ...

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        ...


def authenticate(
    auth: Auth, head: Headed, *, proxy: bool, find: Find = nobody, read: Read = nobody
) -> Principal:
    """The principal of a request; with `proxy`, of a CONNECT or an absolute-form request, whose key is
    in `Proxy-Authorization` (Bearer, or the password of Basic). `find` knows the keys that are not in
    rules.yaml, `read` the tokens, which count in place of a key except in `keys` mode. In open mode nobody
    needs a key, but one that is known still says who calls.

    Keys are compared by their full SHA-256, so that the time of a lookup says nothing about them.
    Raises ClientFault 401, or 407 for the proxy.
    """
    secret = _proxy_secret(head) if proxy else shown_secret(head)
    found = _known(auth, secret, find, read) if secret else None
    if found is not None:
        return found
    if auth.mode == "open":
        return LOCAL
    raise ClientFault(
        _refused(auth, secret, proxy=proxy),
        status=407 if proxy else 401,
        code="invalid_api_key",
        kind=Kind.AUTHENTICATION,
    )


_UNKNOWN: Final = (
    "The key in this request is none of this sidecar's: unknown, expired, disabled or replaced. Check it, or "
    "ask whoever runs the sidecar for another (`wattline keys`). A provider's own key does not count here."
)


_ENDED: Final = (
    "The key or token in this request is none of this sidecar's: unknown, expired, disabled or replaced. Log in "
    "again (/api/v1/auth/login), or ask whoever runs the sidecar for a key. A provider's own key does not count "
    "here."
)


def _refused(auth: Auth, secret: str | None, *, proxy: bool) -> str:
    """Nothing in it tells a wrong key from an old one, or from a token."""
    if not secret:
        return _needed(auth, proxy=proxy)
    return _ENDED if takes_tokens(auth) else _UNKNOWN


def _needed(auth: Auth, *, proxy: bool) -> str:
    """What to say of a request without a key."""
    what = (
        "a wattline key or a token from /api/v1/auth/login"
        if takes_tokens(auth)
        else "a wattline key"
    )
    if proxy:
        return f"This proxy needs {what}, and the request has none: put it in Proxy-Authorization."
    return (
        f"This sidecar needs {what}, and the request has none: put it in Authorization: Bearer (x-api-key, "
        "api-key and x-goog-api-key are read too)."
    )


def _known(auth: Auth, secret: str, find: Find, read: Read) -> Principal | None:
    if takes_tokens(auth) and looks_like_token(secret) and (caller := read(secret)) is not None:
        return caller
    hashed = hash_secret(secret)
    return _named(auth, hashed) or find(hashed)


def _named(auth: Auth, hashed: str) -> Principal | None:
    name = auth.keys.get(hashed)
    if name is None:
        return None
    role = Role.ADMIN if name in auth.admins else Role.USER
    return Principal(name, auth.tiers.get(name), role=role, hashed=hashed)


def still_named(auth: Auth, caller: Principal) -> Principal | None:
    """A caller of rules.yaml, or one without a key, as the rules of this moment have it; None when they no
    longer let it in.
    """
    if caller.hashed is not None and (found := _named(auth, caller.hashed)) is not None:
        return found
    return LOCAL if auth.mode == "open" else None


def credential(head: Headed, *, proxy: bool) -> str | None:
    """What a request has that is meant to say who calls."""
    return _proxy_secret(head) if proxy else shown_secret(head)


def takes_tokens(auth: Auth) -> bool:
    """Tokens say who calls."""
    return auth.mode != "keys"


def shown_secret(head: Headed) -> str | None:
    """What a request to us shows as its key."""
    for value in head.all("authorization"):
        scheme, _, secret = value.partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else None
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        for value in head.all(name):
            return value
    return query_key(head.path) or next(iter(keys_in(head.all(PROTOCOLS))), None)


def query_key(path: str) -> str | None:
    """The `key` in a target's query, as Gemini's clients may send it."""
    query = path.partition("?")[2]
    return (
        next((value for name, value in parse_qsl(query) if name == "key"), None) if query else None
    )


def _proxy_secret(head: Headed) -> str | None:
    for value in head.all("proxy-authorization"):
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            return rest.strip()
        if scheme.lower() == "basic":
            return _basic_password(rest.strip())
    return None


def _basic_password(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
