"""What signs tokens: `JWT_SECRET`, or a secret of our own in the state folder."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

from wattline.base.settings import SettingsError
from wattline.base.strength import why_weak
from wattline.service.accounts.secret_file import make_secret_file, read_secret_file

JWT_SECRET = "JWT_SECRET"  # noqa: S105  (a variable's name)
FILE = "jwt.secret"
MIN_BYTES = 32
"""RFC 7518, 3.2: a key as long as the hash at least."""
_SAMPLES = (
    "256bit", "asecretkey", "changein", "changeit", "changeme", "changethis", "donotuse", "example",
    "insecure", "jwtsecret", "jwtkey", "notsecure", "password", "placeholder", "replacethis", "replaceme",
    "secretjwt", "secretkey", "stringsecret", "supersecret", "yourjwt", "yoursecret", "yoursuper",
)  # fmt: skip
"""In secrets of manuals and samples. A random text holds none of them."""

log = logging.getLogger(__name__)


class TokenSecret:
    """One for the process. Without `JWT_SECRET` the file is made when the first token is."""

    def __init__(self, env: Mapping[str, str], state: Path) -> None:
        """Raises SettingsError for a secret that could be guessed, and for a file that others can read."""
        self._path = state / FILE
        self._secret = env.get(JWT_SECRET)
        if self._secret is not None:
            refuse_weak_secret(self._secret)
        else:
            self._secret = read_secret_file(self._path)

    def __repr__(self) -> str:
        return "<TokenSecret>"

    @property
    def known(self) -> str | None:
        """The secret; None while no token was ever made."""
        return self._secret

    def shown(self) -> tuple[str, ...]:
        """What no log line may show."""
        return () if self._secret is None else (self._secret,)

    def need(self) -> str:
        """The secret, made if need be. Raises SettingsError."""
        if self._secret is None:
            self._secret = secrets.token_hex(MIN_BYTES)
            make_secret_file(self._path, self._secret)
            log.info("%s is not set: tokens are signed with a new secret in %s", JWT_SECRET, FILE)
        return self._secret


def refuse_weak_secret(secret: str) -> None:
    """Raises SettingsError, which never holds the secret."""
    reason = _why_weak(secret)
    if reason is not None:
        raise SettingsError(
            f"{JWT_SECRET} can't be used: {reason}. Take a random one, for example from "
            "`openssl rand -hex 32`, or leave the variable out"
        )


def _why_weak(secret: str) -> str | None:
    if (reason := why_weak(secret)) is not None:
        return reason
    if len(secret.encode("utf-8", "surrogatepass")) < MIN_BYTES:
        return f"it has fewer than {MIN_BYTES} bytes"
    if "-----BEGIN" in secret or secret.startswith("ssh-"):
        return "it is a key of another kind (tokens are signed with HMAC)"
    letters = "".join(c for c in secret.lower() if c.isalnum())
    if any(sample in letters for sample in _SAMPLES):
        return "it looks like the sample of a manual"
    return None
