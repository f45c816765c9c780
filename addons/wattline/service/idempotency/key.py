"""The Idempotency-Key of a request (draft-ietf-httpapi-idempotency-key-header), and what it stands for.

The draft has a string in quotes; most clients send the bare text. Both are the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final
from urllib.parse import parse_qsl

from wattline.base.errors import ClientFault
from wattline.service.accounts.master import QUERY
from wattline.wire.call import LOCAL, Principal

HEADER: Final = "idempotency-key"
LONGEST: Final = 255
"""Characters of a key."""
BLOCK: Final = 1024 * 1024
CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
_KEY: Final = "key"
_IN_QUERY: Final = (f"{_KEY}=", f"{QUERY}=")
"""Parameters that say who asks, not what for."""


def key_of(values: list[str]) -> str | None:
    """The key that a request's headers give; None without one. Raises ClientFault 400."""
    if not values:
        return None
    if len(values) > 1:
        raise _invalid("there is more than one")
    key = values[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not key:
        raise _invalid("it is empty")
    if len(key) > LONGEST:
        raise _invalid(f"it has more than {LONGEST} characters")
    if not (key.isascii() and key.isprintable()):
        raise _invalid("it has a character that is not printable ASCII")
    return key


def _invalid(reason: str) -> ClientFault:
    return ClientFault(
        f"Idempotency-Key: {reason}. Send one key of 1 to {LONGEST} printable characters, a new one for each "
        "request that is to count by itself.",
        code="invalid_idempotency_key",
        param="Idempotency-Key",
    )


def shown_secrets(headers: Iterable[tuple[str, str]], target: str) -> list[str]:
    """The credentials in a request, each once and without its scheme: which way it came says nothing of whose
    it is.
    """
    found = [_bare(value) for name, value in headers if name in CREDENTIALS]
    query = target.partition("?")[2]
    if query:
        found += [value for name, value in parse_qsl(query) if name in (_KEY, QUERY)]
    return [secret for secret in dict.fromkeys(found) if secret]


def _bare(value: str) -> str:
    scheme, _, secret = value.strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else value.strip()


def scope_of(
    principal: Principal | None, secrets: Sequence[str], peer: str, *, master: bool = False
) -> str:
    """Whose keys these are, as a digest: the caller's; where nobody is known those of whoever has the
    credential, else of the address. `master`: it has the right master token, too.
    """
    if principal is not None and principal is not LOCAL:
        kind = "caller" if principal.user is None else "principal"
        told = [kind, principal.id, principal.role.value]
    elif master:
        told = ["master"]
    else:  # everybody on this machine: the credential tells them apart
        told = ["nobody" if principal is None else principal.id]
        told += ["secrets", *secrets] if secrets else ["address", peer]
    if master:
        told.append("master")
    return _digest(text.encode("utf-8", "surrogatepass") for text in told)


def key_digest(key: str) -> str:
    """What is kept of a key."""
    return _digest([key.encode()])


def request_digest(method: str, target: str, content_type: str, body: bytes | IO[bytes]) -> str:
    """What a request asks for: method, path, query and body. A client that tries again draws a new boundary
    for its form, so that counts as none. Blocking for a file, which is at its start before and after.
    """
    found = hashlib.sha256()
    for part in (method, _without_credential(target)):
        found.update(b"%d:" % len(part) + part.encode("utf-8", "surrogatepass"))
    boundary = _boundary(content_type)
    for block in _without(_blocks(body), boundary):
        found.update(block)
    return found.hexdigest()


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d:" % len(part) + part)
    return found.hexdigest()


def _without_credential(target: str) -> str:
    path, mark, query = target.partition("?")
    if not mark:
        return path
    kept = [pair for pair in query.split("&") if not pair.startswith(_IN_QUERY)]
    return f"{path}?{'&'.join(kept)}" if kept else path


def _boundary(content_type: str) -> bytes:
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        return b""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            return value.strip().strip('"').encode("latin-1", "replace")
    return b""


def _blocks(body: bytes | IO[bytes]) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    body.seek(0)
    while block := body.read(BLOCK):
        yield block
    body.seek(0)


def _without(blocks: Iterator[bytes], word: bytes) -> Iterator[bytes]:
    """The blocks as one text with `word` taken out, wherever they are cut."""
    if not word:
        yield from blocks
        return
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(word)
        yield b"\0".join([*whole, b""])
        keep = len(word) - 1
        if len(rest) > keep:
            at = len(rest) - keep
            yield rest[:at]
            rest = rest[at:]
    yield rest


__all__ = [
    "HEADER",
    "LONGEST",
    "key_digest",
    "key_of",
    "request_digest",
    "scope_of",
    "shown_secrets",
]
