"""A new certificate authority, in the files that mitmproxy reads.

Its key is on the curve P-256. mitmproxy's own are RSA: made, checked at each start and used in each
handshake at some hundred times the cost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mitmproxy.certs import DEFAULT_DHPARAM
from mitmproxy.options import CONF_BASENAME

LIFE = timedelta(days=10 * 365)
EARLIER = timedelta(days=2)
"""Clocks of clients may be behind ours."""


def create_authority(folder: Path, name: str) -> None:
    """Write the key and the certificate into `folder`, which exists. Raises OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, name)
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    label, plain = CONF_BASENAME.encode(), NoEncryption()
    files = {
        "ca.pem": private + pem,
        "ca.p12": pkcs12.serialize_key_and_certificates(label, key, certificate, None, plain),
        "ca-cert.pem": pem,
        "ca-cert.cer": pem,
        "dhparam.pem": DEFAULT_DHPARAM,
        "ca-cert.p12": pkcs12.serialize_key_and_certificates(label, None, certificate, None, plain),
    }
    for ending, content in files.items():
        (folder / f"{CONF_BASENAME}-{ending}").write_bytes(content)


def _sign(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    now, public = datetime.now(UTC), key.public_key()
    named = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
        ]
    )
    builder = x509.CertificateBuilder(
        subject_name=named,
        issuer_name=named,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - EARLIER,
        not_valid_after=now + LIFE,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(servers, critical=False)
    builder = builder.add_extension(_USAGE, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
