from __future__ import annotations

import hashlib
import json

import pytest

from wattline.base.clock import SystemClock
from wattline.service.metering.counts import Counts
from wattline.service.watching.carried import Carried
from wattline.service.watching.proofs import Proofs, judged, proof_file, read_proofs


def carried(up=(b"a", b"a"), down=(b"b", b"b"), *, cut=False) -> Carried:
    found = Carried.begun("call", "c1", "api.example", 443, proving=True)
    for way, (came, went) in ((found.up, up), (found.down, down)):
        way.came.add(came)
        way.went.add(went)
    found.cut = cut
    return found


def test_the_digest_is_sha256_of_all_bytes_however_they_came():
    found = Carried.begun("tunnel", "t", "h", 1, proving=True)
    for piece in (b"one", b"", b"two"):
        found.up.came.add(piece)
    found.up.went.add(b"onetwo")
    assert found.up.came.digest == hashlib.sha256(b"onetwo").hexdigest()
    assert found.verdict == "untouched"


@pytest.mark.parametrize(
    ("up", "cut", "verdict"),
    [
        ((b"ab", b"ab"), False, "untouched"),
        ((b"ab", b"ac"), False, "changed"),
        ((b"ab", b"ac"), True, "changed"),
        ((b"ab", b"a"), False, "changed"),
        ((b"ab", b"a"), True, "cut"),
        ((b"ab", b"abc"), True, "changed"),
    ],
)
def test_verdicts(up, cut, verdict):
    found = carried(up, cut=cut)
    assert found.verdict == verdict
    assert judged(found.record(1)) == verdict


async def test_written_and_read_again(tmp_path):
    counts = Counts()
    proofs = Proofs(proof_file(tmp_path), SystemClock(), counts)
    first = carried()
    proofs.add(first)
    proofs.add(first)
    proofs.add(carried((b"x", b"y")))
    await proofs.written()
    found = list(read_proofs(proof_file(tmp_path), 0))
    assert [record["verdict"] for record in found] == ["changed", "untouched"]
    assert counts.proofs == {("call", "untouched"): 1, ("call", "changed"): 1}
    assert list(read_proofs(proof_file(tmp_path), 10**14)) == []


async def test_a_verdict_that_was_written_is_not_believed(tmp_path):
    record = {**carried((b"x", b"y")).record(5), "verdict": "untouched"}
    file = proof_file(tmp_path)
    file.append([json.dumps(record).encode() + b"\n", b"{garbage\n"])
    assert [one["verdict"] for one in read_proofs(file, 0)] == ["unreadable", "changed"]


def test_an_old_time_hides_nothing(tmp_path):
    """Nor does a time to come: what is before it in the file is later than what is after it."""
    times = (2_000, 2_001, 5, 3_000, 3_001)
    pairs = ((b"x", b"y"), *[(b"a", b"a")] * 4)
    lines = [carried(pair).record(at) for at, pair in zip(times, pairs, strict=True)]
    file = proof_file(tmp_path)
    file.append([json.dumps(line).encode() + b"\n" for line in lines])
    found = list(read_proofs(file, 1_000))
    assert [one["at"] for one in found] == [3_001, 3_000, 2_001, 2_000]
    assert found[-1]["verdict"] == "changed"
    assert [one.get("out_of_order", False) for one in found] == [False, False, True, True]


GOOD = carried().record(1)


@pytest.mark.parametrize(
    "change",
    [
        {"up": None},
        {"up": {}},
        {"down": {**GOOD["down"], "bytes_in": "1"}},
        {"down": {**GOOD["down"], "bytes_in": True}},
        {"up": {**GOOD["up"], "digest_in": None, "digest_out": None}},
    ],
)
def test_a_record_without_its_figures_proves_nothing(change):
    assert judged({**GOOD, **change}) == "unreadable"
