"""The CA folder: what is made, who may read it, and what clients are given."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mitmproxy.certs import CertStore
from mitmproxy.options import Options

from wattline.proxy.ca import CaError, ensure_ca
from wattline.proxy.master import make_options, trust

KEY = "mitmproxy-ca.pem"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ca"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of another CA, as a company's own would be."""
    return ensure_ca(tmp_path_factory.mktemp("other") / "ca").certificate


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def blocks(path: Path) -> list[str]:
    """The certificates as text: some that systems trust are too old for a strict parser."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = path.read_text().split(begin)[1:]
    return ["".join(part.partition(end)[0].split()) for part in parts]


def test_only_the_owner_can_read_the_key_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o000)
    try:
        ensure_ca(folder)
    finally:
        os.umask(before)

    assert mode(folder) == 0o700
    private = [file for file in folder.iterdir() if file.name in {KEY, "mitmproxy-ca.p12"}]
    assert len(private) == 2
    assert [mode(file) for file in private] == [0o600, 0o600]


def test_no_private_key_is_in_what_clients_get(folder: Path) -> None:
    files = ensure_ca(folder)

    assert b"PRIVATE KEY" not in files.certificate.read_bytes()
    assert b"PRIVATE KEY" not in files.bundle.read_bytes()


def test_the_ca_is_named_so_that_a_user_finds_it(folder: Path) -> None:
    authority = x509.load_pem_x509_certificate(ensure_ca(folder).certificate.read_bytes())

    assert "O=wattline" in authority.subject.rfc4514_string()
    assert authority.not_valid_after_utc > datetime.now(UTC) + timedelta(days=365)


def test_the_bundle_has_the_old_trust_and_ours(folder: Path) -> None:
    files = ensure_ca(folder)

    (ours,) = blocks(files.certificate)
    bundle = blocks(files.bundle)
    assert ours in bundle
    assert set(blocks(files.base)) <= set(bundle)
    assert len(bundle) > 1
    assert ssl.create_default_context(cafile=str(files.bundle)).cert_store_stats()["x509_ca"] > 1


def test_a_second_start_keeps_ca_and_files(folder: Path) -> None:
    first = ensure_ca(folder)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}

    assert ensure_ca(folder) == first
    assert before == {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()
    }


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_the_users_own_bundle_is_the_base(folder: Path, foreign: Path, name: str) -> None:
    files = ensure_ca(folder, {name: str(foreign)})

    assert files.base == foreign
    assert len(blocks(files.bundle)) == 2


def test_the_bundle_follows_its_base(folder: Path, foreign: Path, tmp_path: Path) -> None:
    base = tmp_path / "company.pem"
    base.write_bytes(foreign.read_bytes())
    ensure_ca(folder, {"SSL_CERT_FILE": str(base)})

    base.write_bytes(Path(certifi.where()).read_bytes())
    files = ensure_ca(folder, {"SSL_CERT_FILE": str(base)})

    assert len(blocks(files.bundle)) == len(blocks(base)) + 1


def test_a_base_without_a_final_newline_joins_cleanly(
    folder: Path, foreign: Path, tmp_path: Path
) -> None:
    base = tmp_path / "bare.pem"
    base.write_bytes(foreign.read_bytes().rstrip())

    assert len(blocks(ensure_ca(folder, {"SSL_CERT_FILE": str(base)}).bundle)) == 2


def test_our_own_bundle_is_no_base_for_itself(folder: Path) -> None:
    """A shell that evaluated `wattline env` starts a second sidecar."""
    files = ensure_ca(folder)

    again = ensure_ca(folder, {"SSL_CERT_FILE": str(files.bundle)})

    assert again.base == files.base
    assert len(blocks(again.bundle)) == len(blocks(files.bundle))


@pytest.mark.parametrize("content", [None, b"", b"no certificate here", b"\x00" * 1000])
def test_a_useless_users_bundle_falls_back(
    folder: Path, tmp_path: Path, content: bytes | None
) -> None:
    base = tmp_path / "broken.pem"
    if content is not None:
        base.write_bytes(content)

    files = ensure_ca(folder, {"SSL_CERT_FILE": str(base)})

    assert files.base != base
    assert len(blocks(files.bundle)) > 1


def test_a_folder_as_users_bundle_falls_back(folder: Path, tmp_path: Path) -> None:
    assert ensure_ca(folder, {"SSL_CERT_FILE": str(tmp_path)}).base != tmp_path


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666])
@pytest.mark.parametrize("name", [KEY, "mitmproxy-ca.p12"])
def test_a_key_that_others_could_read_is_refused(folder: Path, bits: int, name: str) -> None:
    ensure_ca(folder)
    (folder / name).chmod(bits)

    with pytest.raises(CaError, match=rf"{name}.*mode {bits:04o}.*chmod 600"):
        ensure_ca(folder)


def test_an_open_folder_is_closed(folder: Path) -> None:
    ensure_ca(folder)
    folder.chmod(0o755)

    ensure_ca(folder)

    assert mode(folder) == 0o700


@pytest.mark.parametrize("cut", [0, 1, 100, 500, -40])
def test_a_damaged_key_is_refused_and_left_alone(folder: Path, cut: int) -> None:
    ensure_ca(folder)
    key = folder / KEY
    key.write_bytes(key.read_bytes()[:cut])
    left = key.read_bytes()

    with pytest.raises(CaError, match="damaged"):
        ensure_ca(folder)
    assert key.read_bytes() == left


def test_a_key_beside_another_cas_certificate_is_refused(folder: Path, foreign: Path) -> None:
    ensure_ca(folder)
    key = folder / KEY
    private, _, _ = key.read_bytes().partition(b"-----BEGIN CERTIFICATE-----")
    load_pem_private_key(private, None)
    key.write_bytes(private + foreign.read_bytes())

    with pytest.raises(CaError, match="another CA"):
        ensure_ca(folder)


def test_a_lost_or_changed_certificate_is_written_again(folder: Path, foreign: Path) -> None:
    files = ensure_ca(folder)
    right = files.certificate.read_bytes()

    files.certificate.unlink()
    ensure_ca(folder)
    assert files.certificate.read_bytes() == right

    files.certificate.write_bytes(foreign.read_bytes())
    ensure_ca(folder)
    assert files.certificate.read_bytes() == right


def test_a_folder_with_remains_of_an_interrupted_start_gets_a_ca(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mitmproxy-dhparam.pem").write_bytes(b"half")

    files = ensure_ca(folder)

    assert len(blocks(files.certificate)) == 1
    assert b"BEGIN DH" in (folder / "mitmproxy-dhparam.pem").read_bytes()
    assert [file.name for file in folder.parent.iterdir()] == ["ca"]


def test_two_first_starts_at_once_agree_on_one_ca(folder: Path) -> None:
    program = (
        "import pathlib, sys; from wattline.proxy.ca import ensure_ca; "
        "sys.stdin.read(1); ensure_ca(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(folder)]
    starts = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for start in starts:
        start.communicate(b"x", timeout=60)

    files = ensure_ca(folder)

    authority = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    key = load_pem_private_key((folder / KEY).read_bytes(), None)
    assert key.public_key() == authority.public_key()
    assert set(blocks(files.certificate)) <= set(blocks(files.bundle))
    assert mode(folder / KEY) == 0o600


def test_a_new_key_is_on_p_256(folder: Path) -> None:
    ensure_ca(folder)

    key = load_pem_private_key((folder / KEY).read_bytes(), None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"


def test_an_rsa_key_of_before_is_used_on(folder: Path) -> None:
    CertStore.create_store(folder, "mitmproxy", 2048, organization="wattline", cn="wattline CA")
    before = (folder / KEY).read_bytes()

    files = ensure_ca(folder)

    assert (folder / KEY).read_bytes() == before
    assert len(blocks(files.certificate)) == 1


def test_what_is_passed_on_is_verified_with_the_same_authorities(folder, tmp_path, foreign):
    """A company's CA in SSL_CERT_FILE counts for mitmproxy's own connections too."""
    base = tmp_path / "company.pem"
    base.write_bytes(foreign.read_bytes())
    files = ensure_ca(folder, {"SSL_CERT_FILE": str(base)})
    made = make_options(host="127.0.0.1", port=0, modes=["regular"], ca=files, intercept=[])
    assert made.ssl_verify_upstream_trusted_ca == str(base)
    assert made.confdir == str(folder)


@pytest.mark.parametrize(
    "name", ["ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir"]
)
def test_authorities_that_somebody_chose_for_mitmproxy_stay(folder, name):
    files = ensure_ca(folder)
    chosen = Options(**{name: "/chosen"})
    trust(chosen, files)
    assert getattr(chosen, name) == "/chosen"
    assert {chosen.ssl_verify_upstream_trusted_ca, chosen.ssl_verify_upstream_trusted_confdir} == {
        "/chosen",
        None,
    }
