from __future__ import annotations

import hashlib

import pytest

from wattline.service.watching.carried import Carried
from wattline.service.watching.conversed import Witness
from wattline.service.watching.proofs import judged
from wattline.wire.websocket import Message


def witness() -> tuple[Witness, list[Carried]]:
    told: list[Carried] = []
    proof = Carried.begun("socket", "c1", "api.example", 443, proving=True)
    return Witness(proof, told.append), told


def test_messages_are_told_apart_by_the_digest():
    """The same bytes in other messages, or of another kind, are not the same."""
    found, told = witness()
    for message in (Message(b"ab"), Message(b"\x00", text=False)):
        found.asked(message)
        found.sent(message, b"frame")
    found.over()
    (proof,) = told
    assert proof.verdict == "untouched"
    digest = hashlib.sha256(b"t2:abb1:\x00").hexdigest()
    record = proof.record(1)
    assert record["up"] == {
        "bytes_in": 3,
        "bytes_out": 3,
        "digest_in": digest,
        "digest_out": digest,
        "messages_in": 2,
        "messages_out": 2,
    }
    assert "messages_in" not in record["down"]
    assert judged(record) == "untouched"


@pytest.mark.parametrize(
    "went",
    [
        [Message(b"ac")],
        [Message(b"ab", text=False)],
        [Message(b"a"), Message(b"b")],
        [Message(b"ab"), Message(b"")],
        [Message(b"ab"), Message(b"ab")],
        [Message(b"a")],
        [Message(b"")],
        [],
    ],
)
@pytest.mark.parametrize("down", [False, True])
def test_whatever_differs_is_found(went, down):
    found, _ = witness()
    came = found.heard if down else found.asked
    out = found.passed if down else found.sent
    came(Message(b"ab"))
    for message in went:
        out(message, b"frame")
    assert found.proof.verdict == judged(found.proof.record(1)) == "changed"


@pytest.mark.parametrize("empty", [False, True])
def test_an_end_that_is_closed_gets_less(empty):
    found, _ = witness()
    data = b"" if empty else b"ab"
    found.heard(Message(data))
    found.passed(Message(data), b"")
    assert found.proof.verdict == judged(found.proof.record(1)) == "cut"
