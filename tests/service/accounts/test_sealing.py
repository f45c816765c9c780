"""Sealed texts: what opens, and all that does not."""

from __future__ import annotations

import base64
import secrets
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.settings import SettingsError
from wattline.service.accounts.sealing import Sealing, Unsealable, read_keys

KEY = base64.b64decode("R8hYz0vWqg1xkZy3mS0mB2rJ6bYk0eU1n4oTqf5H2Lw=")
OLD = base64.b64decode("p1vD0Zs6mWq8Yk3nTtq2b4cXl9oE5uG7rHjK0aFySxM=")


@given(
    st.text(st.characters(codec="utf-8"), max_size=300),
    st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_what_is_sealed_opens_in_its_context(plain, context):
    """E-085."""
    sealing = Sealing((KEY,))
    sealed = sealing.seal(plain, context)
    assert sealing.open(sealed, context) == plain
    with pytest.raises(Unsealable):
        sealing.open(sealed, context + "x")


def test_each_seal_is_another():
    sealing = Sealing((KEY,))
    sealed = {sealing.seal("the same", "c") for _ in range(500)}
    assert len(sealed) == 500
    assert len({one[5:17] for one in sealed}) == 500  # nonces
    assert all(b"the same" not in one for one in sealed)


def test_changed_anywhere_it_does_not_open():
    sealing = Sealing((KEY,))
    sealed = sealing.seal("a key of somebody", "c")
    for place in range(len(sealed)):
        for bit in (1, 128):
            changed = bytearray(sealed)
            changed[place] ^= bit
            with pytest.raises(Unsealable):
                sealing.open(bytes(changed), "c")
    for end in range(len(sealed)):
        with pytest.raises(Unsealable):
            sealing.open(sealed[:end], "c")
    with pytest.raises(Unsealable):
        sealing.open(sealed + b"\0", "c")


def test_older_keys_open_and_the_first_one_seals():
    before = Sealing((OLD,)).seal("text", "c")
    sealing = Sealing((KEY, OLD))
    assert sealing.open(before, "c") == "text"
    assert not sealing.is_current(before)
    after = sealing.seal("text", "c")
    assert sealing.is_current(after)
    with pytest.raises(Unsealable):
        Sealing((OLD,)).open(after, "c")
    with pytest.raises(Unsealable):
        Sealing((KEY,)).open(before, "c")
    with pytest.raises(Unsealable):
        Sealing().open(before, "c")


def test_a_key_of_our_own_is_made_once(tmp_path):
    first = Sealing.from_env({}, tmp_path)
    assert not list(tmp_path.iterdir())
    sealed = first.seal("text", "c")
    path = tmp_path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Sealing.from_env({}, tmp_path).open(sealed, "c") == "text"
    # A variable takes over; what the file's key sealed still opens.
    named = Sealing.from_env({"WATTLINE_SECRET_KEY": base64.b64encode(KEY).decode()}, tmp_path)
    assert named.open(sealed, "c") == "text"
    assert not named.is_current(sealed)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="can be read by others"):
        Sealing.from_env({}, tmp_path)


def test_two_that_look_at_one_file_take_one_key(tmp_path):
    one, other = (Sealing.from_env({}, tmp_path) for _ in range(2))
    sealed = one.seal("text", "c")
    assert other.is_current(other.seal("more", "c"))
    assert other.open(sealed, "c") == "text"


def b64(raw):
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ,, ",
        "no base64 at all!",
        b64(b""),
        b64(b"x" * 31),
        b64(KEY + b"x"),
        b64(bytes(32)),
        b64(b"\xff" * 32),
        b64(bytes(range(32))),
        b64(b"this is thirty-two bytes of text"),
        b64(b"0123456789abcdef0123456789abcdef"),
        b64(KEY[:8] * 4),
        f"{b64(KEY)},{b64(bytes(32))}",
        "é" * 44,
    ],
)
def test_keys_that_can_be_guessed(text):
    """Refused, with the reason and without the key."""
    with pytest.raises(SettingsError) as refused:
        read_keys(text, "WATTLINE_SECRET_KEY")
    assert "WATTLINE_SECRET_KEY" in str(refused.value)
    assert len(text) < 20 or text not in str(refused.value)


def test_random_keys_in_both_alphabets():
    for _ in range(300):
        key = secrets.token_bytes(32)
        assert read_keys(b64(key), "x") == [key]
        assert read_keys(base64.urlsafe_b64encode(key).decode(), "x") == [key]
    assert read_keys(f"{b64(KEY)}, {b64(OLD)}\n", "x") == [KEY, OLD]
    assert len({b - a for a, b in pairwise(KEY)}) > 4
