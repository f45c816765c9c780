"""Tokens: what is read, and all that is not."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.clock import ManualClock
from wattline.base.settings import SettingsError
from wattline.service.accounts.token_secret import TokenSecret
from wattline.service.accounts.tokens import (
    AUDIENCE,
    ISSUER,
    LONGEST,
    Lifetime,
    Tokens,
    looks_like_token,
)
from wattline.store.people import User
from wattline.wire.call import Role

SECRET = "3f9c1d77a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b5"
OTHER = "a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b53f9c1d77"
ANN = User("usr_ann", "Ann", Role.USER, 0, session=3)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def tokens(clock, tmp_path):
    return Tokens(TokenSecret({"JWT_SECRET": SECRET}, tmp_path), clock)


def claims(clock, **changes):
    now = int(clock.wall())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "usr_ann",
        "iat": now,
        "exp": now + 100,
        "jti": "x",
        "ses": 3,
        "beg": now,
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def signed(said, key=SECRET, algorithm="HS256", **more):
    return jwt.encode(said, key, algorithm=algorithm, **more)


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_what_is_issued_is_read(tokens, clock):
    """E-041: who, which session, since when and until when; and nothing else of the user."""
    token = tokens.issue(ANN)
    read = tokens.read(token)
    now = int(clock.wall())
    assert looks_like_token(token)
    assert (read.user, read.session, read.issued, read.expires) == ("usr_ann", 3, now, now + 86_400)
    said = jwt.decode(token, options={"verify_signature": False})
    assert said.keys() == {"iss", "aud", "sub", "iat", "exp", "jti", "ses", "beg"}
    assert tokens.issue(ANN) != token


def test_it_ends(tokens, clock):
    token = tokens.issue(ANN)
    clock.advance(86_399)
    assert tokens.read(token) is not None
    clock.advance(1)
    assert tokens.read(token) is None


def test_a_refreshed_one_ends_with_its_login(tokens, clock):
    """E-042: no token can be had from another for ever."""
    began = int(clock.wall())
    clock.advance(LONGEST - 10)
    read = tokens.read(tokens.issue(ANN, began))
    assert read.expires == began + LONGEST
    clock.advance(10)
    assert tokens.read(tokens.issue(ANN, began)) is None


def test_none_and_other_algorithms_are_no_signatures(tokens, clock):
    said = claims(clock)
    assert tokens.read(signed(said)) is not None
    unsigned = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(said)}."
    for token in (
        unsigned,
        unsigned.replace("none", "None"),
        f"{part({'alg': 'HS256'})}.{part(said)}.",
        f"{part({'alg': 'nOnE'})}.{part(said)}.",
        signed(said, algorithm="HS512", key=SECRET * 2),
        signed(said, algorithm="HS384"),
        f"{part({'alg': 'RS256'})}." + signed(said).split(".", 1)[1],
        f"{part({'alg': ['HS256']})}." + signed(said).split(".", 1)[1],
        f"{part({})}." + signed(said).split(".", 1)[1],
        f"{part([])}." + signed(said).split(".", 1)[1],
        signed(said, headers={"alg": "HS256", "b64": False, "crit": ["b64"]}),
        signed(said, headers={"crit": ["unheard-of"]}),
    ):
        assert tokens.read(token) is None, token


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "another-api"},
        {"aud": [AUDIENCE, "another-api"]},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"jti": None},
        {"iat": None},
        {"exp": None},
        {"exp": "2099"},
        {"exp": 1e300},
        {"exp": True},
        {"ses": None},
        {"ses": "3"},
        {"ses": True},
        {"ses": 3.0},
        {"beg": None},
    ],
)
def test_claims_that_are_not_ours(tokens, clock, changes):
    assert tokens.read(signed(claims(clock, **changes))) is None


def test_from_the_past_and_the_future(tokens, clock):
    now = int(clock.wall())
    assert tokens.read(signed(claims(clock, exp=now))) is None
    assert tokens.read(signed(claims(clock, iat=now + 61))) is None
    assert tokens.read(signed(claims(clock, iat=now + 59))) is not None


def test_of_another_secret(tokens, clock):
    assert tokens.read(signed(claims(clock), OTHER)) is None


def test_changed_anywhere(tokens):
    token = tokens.issue(ANN)
    for place, char in enumerate(token[:-1]):  # the last character has bits that mean nothing
        other = "A" if char != "A" else "B"
        assert tokens.read(token[:place] + other + token[place + 1 :]) is None, place
    assert tokens.read(token + "A") is None
    assert tokens.read(token * 10) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "eyJ..",
        "eyJ.eyJ.x",
        "eyJhbGciOiJIUzI1NiJ9." + "A" * 3_000 + ".x",
        part(b"[" * 1_000) + ".e30.x",
        part(b'{"a":' * 200) + ".e30.x",
        part(b'{"alg":"HS256","alg":"none"}') + ".e30.x",
        "eyJhbGciOiJIUzI1NiJ9.\ud800.x",
        "eyJhbGciOiJIUzI1NiJ9.é.x",
        "eyJ\0.a.b",
    ],
)
def test_garbage(tokens, token):
    assert tokens.read(token) is None


@given(st.text(max_size=200))
def test_any_text(text):
    tokens = _made()
    assert tokens.read(text) is None
    assert tokens.read(f"eyJ{text}.e30.e30") is None


def _made():
    class Known:
        known = SECRET

    return Tokens(Known(), ManualClock())


def test_without_a_secret_nothing_is_read_and_reading_makes_none(tmp_path, clock):
    made = Tokens(TokenSecret({}, tmp_path), clock)
    assert made.read(signed(claims(clock), "x" * 32)) is None
    assert not list(tmp_path.iterdir())
    token = made.issue(ANN)
    assert made.read(token) is not None
    again = Tokens(TokenSecret({}, tmp_path), clock)
    assert again.read(token) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 86_400), ("24h", 86_400), ("60", 60), ("90s", 90), ("15m", 900), ("30d", LONGEST)],
)
def test_lifetimes(text, seconds):
    """E-021."""
    assert Lifetime.from_env({"JWT_EXPIRY": text}).seconds == seconds


@pytest.mark.parametrize(
    "text", ["0", "59s", "31d", "1w", "-1h", "1.5h", "h", "\uff11h", "9" * 9, "24h " * 20]
)
def test_lifetimes_that_are_none(text):
    with pytest.raises(SettingsError, match="JWT_EXPIRY"):
        Lifetime.from_env({"JWT_EXPIRY": text})


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " " * 40,
        "secret",
        "changeme",
        "0123456789abcdef0123456789abcde",
        "a" * 64,
        "abab" * 16,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "your-super-secret-jwt-key-change-in-production",
        "your-256-bit-secret-your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "MySuperSecretPassword2024!MySuperSecret",
        "REPLACE_ME_with_something_long_and_random",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7vbqajDhA9c1kq4",
    ],
)
def test_secrets_that_can_be_guessed(tmp_path, secret):
    """E-021: refused, and never shown."""
    with pytest.raises(SettingsError) as refused:
        TokenSecret({"JWT_SECRET": secret}, tmp_path)
    assert "JWT_SECRET" in str(refused.value)
    assert not secret.strip() or len(secret) < 9 or secret not in str(refused.value)


def test_random_secrets_are_taken(tmp_path):
    import secrets  # noqa: PLC0415

    for _ in range(200):
        for secret in (secrets.token_hex(32), secrets.token_urlsafe(32)):
            assert TokenSecret({"JWT_SECRET": secret}, tmp_path).known == secret


@pytest.mark.parametrize("content", ["", "\n", "\xff\xfe"])
def test_a_secret_file_without_a_secret(tmp_path, content):
    path = tmp_path / "jwt.secret"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="holds no secret"):
        TokenSecret({}, tmp_path)


def test_a_secret_file_is_no_link(tmp_path):
    (tmp_path / "elsewhere").write_text("x" * 64)
    (tmp_path / "jwt.secret").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="can't be read"):
        TokenSecret({}, tmp_path)
