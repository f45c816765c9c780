"""The certificate authority of the forward proxy, and the bundle that clients are given.

Who has the CA's key can pose as any site to every machine that trusts the CA. So it never leaves its
folder (0700, key files 0600), each installation makes its own, and a key that others could read is
refused. A client's trust setting replaces its whole list of CAs, so clients get a bundle: the CAs
they trusted before, and ours.
"""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from mitmproxy.options import CONF_BASENAME

from wattline.proxy.authority import create_authority

NAME = "wattline"
"""Organisation and common name of the CA: what a user looks for in a list of trusted CAs."""
BUNDLE = "bundle.pem"
MAX_BUNDLE = 16 * 1024 * 1024
KEY_FILES = (f"{CONF_BASENAME}-ca.pem", f"{CONF_BASENAME}-ca.p12")
USERS_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)

_NOTHING: Mapping[str, str] = MappingProxyType({})


class CaError(Exception):
    """The CA can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class CaFiles:
    """Where clients find what they have to trust."""

    certificate: Path
    """Our CA alone, PEM."""
    bundle: Path
    """`base` and our CA, PEM: fit for variables that replace a client's trust store."""
    base: Path
    """The CAs that the bundle began with."""
    expires: datetime


def ensure_ca(folder: Path, env: Mapping[str, str] = _NOTHING) -> CaFiles:
    """The CA in `folder` (made when there is none) and a fresh bundle.

    `env` may name the user's own bundle (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`): it is the base then.
    Raises CaError, OSError.
    """
    key = folder / KEY_FILES[0]
    if not key.exists():
        _create(folder)
    folder.chmod(0o700)
    _check_private(folder)
    authority = _read_authority(key)
    certificate = folder / f"{CONF_BASENAME}-ca-cert.pem"
    pem = authority.public_bytes(Encoding.PEM)
    _write_changed(certificate, pem)
    bundle = folder / BUNDLE
    base, trusted = _base_bundle(env, bundle)
    _write_changed(bundle, _joined(trusted, pem))
    return CaFiles(certificate, bundle, base, authority.not_valid_after_utc)


def _create(folder: Path) -> None:
    """Make the CA elsewhere and move it in, the key last: where a key is, all of the CA is."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".ca-", dir=folder.parent))
    try:
        create_authority(made, NAME)
        folder.mkdir(mode=0o700, exist_ok=True)
        for file in sorted(made.iterdir(), key=lambda file: file.name == KEY_FILES[0]):
            if file.name in KEY_FILES:
                file.chmod(0o600)
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_private(folder: Path) -> None:
    for name in KEY_FILES:
        file = folder / name
        if not file.exists():
            continue
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise CaError(
                f"{file} holds the CA's private key and others can read it (mode {mode:04o}). "
                f"If somebody may have, delete {folder} (a new CA is made, to be trusted anew); "
                f"if you are sure that nobody has: chmod 600 {file}"
            )


def _read_authority(key: Path) -> x509.Certificate:
    try:
        pem = key.read_bytes()
        private = load_pem_private_key(pem, None)
        authority = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as error:
        raise CaError(f"{key} is damaged: delete {key.parent}, a new CA is made then") from error
    if private.public_key() != authority.public_key():
        raise CaError(
            f"{key} holds a key of another CA: delete {key.parent}, a new CA is made then"
        )
    if authority.not_valid_after_utc < datetime.now(UTC):
        ended = authority.not_valid_after_utc.date()
        raise CaError(f"the CA in {key.parent} ended on {ended}: delete it, a new one is made then")
    return authority


def _base_bundle(env: Mapping[str, str], own: Path) -> tuple[Path, bytes]:
    for path in _candidates(env):
        # A shell that took `wattline env` names our own bundle: it is no base for itself.
        if path.resolve() == own.resolve():
            continue
        content = _read_certificates(path)
        if content is not None:
            return path, content
    raise CaError("no file with trusted CAs was found: set SSL_CERT_FILE to one")


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    for name in USERS_BUNDLES:
        if value := env.get(name):
            yield Path(value)
    yield Path(ssl.get_default_verify_paths().openssl_cafile)
    yield from map(Path, SYSTEM_BUNDLES)
    yield Path(certifi.where())


def _read_certificates(path: Path) -> bytes | None:
    """The file's content; None when it is not a file with certificates."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BUNDLE:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if b"-----BEGIN CERTIFICATE-----" in content else None


def _joined(trusted: bytes, pem: bytes) -> bytes:
    if pem.strip() in trusted:
        return trusted
    return trusted.rstrip() + b"\n\n# wattline: the CA of this installation\n" + pem


def _write_changed(path: Path, content: bytes) -> None:
    """Replace the file at once, or leave it: a client may be reading it."""
    if path.is_file() and path.read_bytes() == content:
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
