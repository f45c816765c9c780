"""Secrets that must be read again, sealed with AES-256-GCM (NIST SP 800-38D).

A sealed text is `version, id of the key, nonce, ciphertext with tag`. Its context (whose it is, and what
for) is authenticated: in another's row it does not open. The first key seals; the others are older ones,
which still open what was sealed with them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
import secrets
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wattline.base.settings import SettingsError
from wattline.service.accounts.secret_file import make_secret_file, read_secret_file

SECRET_KEY: Final = "WATTLINE_SECRET_KEY"  # noqa: S105  (a variable's name)
FILE: Final = "secret.key"
KEY_BYTES: Final = 32
_VERSION = b"\x01"
_ID, _NONCE, _TAG = 4, 12, 16
_HEAD = len(_VERSION) + _ID + _NONCE
_SEPARATOR = re.compile(r"[\s,]+")

log = logging.getLogger(__name__)


class Unsealable(Exception):
    """The text is damaged, somebody else's, or sealed with a key that is not here."""


class Sealing:
    """Seals and opens. `keys` are 32 bytes each, the one that seals first; without any, one is drawn into
    the file `fresh` when it is needed.
    """

    def __init__(self, keys: tuple[bytes, ...] = (), fresh: Path | None = None) -> None:
        self._fresh = fresh
        self._current: bytes | None = None
        self._by_id: dict[bytes, AESGCM] = {}
        self._texts: list[str] = []
        for key in keys:
            self._add(key)

    def __repr__(self) -> str:
        return f"<Sealing with {len(self._by_id)} keys>"

    @classmethod
    def from_env(cls, env: Mapping[str, str], state: Path) -> Sealing:
        """Keys of `WATTLINE_SECRET_KEY` (base64, the current one first, separated by commas), then those of
        the file in the state folder. Raises SettingsError for a key that could be guessed.
        """
        path = state / FILE
        keys = []
        if (said := env.get(SECRET_KEY)) is not None:
            keys += read_keys(said, SECRET_KEY)
        if (kept := read_secret_file(path)) is not None:
            keys += read_keys(kept, str(path))
        return cls(tuple(keys), fresh=path)

    def shown(self) -> tuple[str, ...]:
        """What no log line may show: the keys as the file has them."""
        return tuple(self._texts)

    def seal(self, plain: str, context: str) -> bytes:
        """Raises SettingsError when a key must be made and can't be."""
        key_id = self._need()
        nonce = secrets.token_bytes(_NONCE)
        head = _VERSION + key_id + nonce
        return head + self._by_id[key_id].encrypt(nonce, plain.encode(), head + context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """What was sealed in this context. Raises Unsealable."""
        key = self._by_id.get(sealed[1 : 1 + _ID])
        if key is None or sealed[:1] != _VERSION or len(sealed) < _HEAD + _TAG:
            raise Unsealable("it was sealed with a key that is not here, or is damaged")
        head = sealed[:_HEAD]
        nonce = head[-_NONCE:]
        try:
            return key.decrypt(nonce, sealed[_HEAD:], head + context.encode()).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise Unsealable("it is damaged, or belongs to somebody else") from None

    def is_current(self, sealed: bytes) -> bool:
        """It was sealed with the key that seals now."""
        return self._current is not None and sealed[1 : 1 + _ID] == self._current

    def _add(self, key: bytes) -> bytes:
        key_id = hashlib.sha256(b"wattline sealing key" + key).digest()[:_ID]
        self._by_id.setdefault(key_id, AESGCM(key))
        self._texts.append(base64.b64encode(key).decode())
        if self._current is None:
            self._current = key_id
        return key_id

    def _need(self) -> bytes:
        if self._current is None:
            kept = None if self._fresh is None else read_secret_file(self._fresh)
            if kept is not None:  # made since we looked
                return self._add(read_keys(kept, FILE)[0])
            key = secrets.token_bytes(KEY_BYTES)
            if self._fresh is not None:
                make_secret_file(self._fresh, base64.b64encode(key).decode())
                log.info("%s is not set: keys are sealed with a new one in %s", SECRET_KEY, FILE)
            return self._add(key)
        return self._current


def read_keys(text: str, name: str) -> list[bytes]:
    """The keys in a variable or file called `name`. Raises SettingsError, which never holds one."""
    keys = [_read_key(part, name) for part in key_texts(text)]
    if not keys:
        raise _unusable(name, "it is empty")
    return keys


def key_texts(text: str) -> list[str]:
    """The keys in a variable or file, as they are written there."""
    return [part for part in _SEPARATOR.split(text.strip()) if part]


def _read_key(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(
            text, altchars=b"-_" if set("-_") & set(text) else None, validate=True
        )
    except (binascii.Error, ValueError):
        raise _unusable(name, "it is no base64") from None
    if len(key) != KEY_BYTES:
        raise _unusable(name, f"it has {len(key)} bytes, not {KEY_BYTES}")
    steps = {(b - a) % 256 for a, b in pairwise(key)}
    # 32 random bytes are hardly ever all text, and have about 30 different values.
    if len(set(key)) < KEY_BYTES // 2 or len(steps) < 4 or all(32 <= byte < 127 for byte in key):
        raise _unusable(name, "it follows a pattern that can be guessed")
    return key


def _unusable(name: str, reason: str) -> SettingsError:
    return SettingsError(
        f"{name} can't be used: {reason}. Take one from `openssl rand -base64 32`; several, the current "
        "one first, are separated by commas"
    )
