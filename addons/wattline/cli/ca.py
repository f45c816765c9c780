"""`wattline ca`: where the CA's files are and how clients come to trust it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wattline.cli.failure import Failure, say
from wattline.proxy.ca import CaError, CaFiles, ensure_ca
from wattline.store.folder import prepare

_HOW = """\
CA certificate  {certificate}
Bundle          {bundle}
                (the CAs of {base} and this one)
Valid until     {expires}

`wattline run -- COMMAND` and `wattline env` set all variables that are needed. By hand:
  SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE = the bundle: they replace a client's trust store
  NODE_EXTRA_CA_CERTS, DENO_CERT                    = the bundle or the certificate: they add to it
Whole machines (only if you must: whoever gets the key in {folder} can then pose as any site to them):
  Debian, Ubuntu  cp the certificate to /usr/local/share/ca-certificates/wattline.crt,
                  then update-ca-certificates
  Fedora, RHEL    cp it to /etc/pki/ca-trust/source/anchors/, then update-ca-trust
  macOS           security add-trusted-cert -d -k /Library/Keychains/System.keychain FILE
To retire this CA: stop the sidecar, delete {folder}; the next start makes a new one.
"""


def show(state: Path) -> None:
    """Print paths and advice. Raises Failure, OSError."""
    files = _files(state)
    sys.stdout.write(
        _HOW.format(
            certificate=files.certificate,
            bundle=files.bundle,
            base=files.base,
            expires=files.expires.date(),
            folder=files.certificate.parent,
        )
    )


def export(state: Path, path: Path, *, force: bool) -> None:
    """Write the certificate to `path`, `-` for stdout. Raises Failure, OSError."""
    pem = _files(state).certificate.read_bytes()
    if str(path) == "-":
        sys.stdout.write(pem.decode())
        return
    if path.is_dir():
        path /= "wattline-ca.pem"
    if path.exists() and path.read_bytes() != pem and not force:
        raise Failure(f"{path} exists; --force replaces it")
    path.write_bytes(pem)
    sys.stderr.write(f"{path}\n")


def _files(state: Path) -> CaFiles:
    prepare(state)
    new = not (state / "ca").exists()
    try:
        files = ensure_ca(state / "ca", os.environ)
    except CaError as error:
        raise Failure(str(error)) from error
    if new:
        say(f"there was no CA: made one in {state / 'ca'}")
    return files
