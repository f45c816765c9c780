"""Several keys of one provider, through the whole sidecar."""

from __future__ import annotations

import json

from kit.books import rows
from kit.key_holders import KeyHolder, holding
from kit.sidecars import running
from wattline.rules.compiled.target import Target
from wattline.service.accounts.known_secrets import provider_keys
from wattline.service.entrance.redaction import redacted

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
KEYS = {letter: f"sk-secret-key-{letter}-0123456789" for letter in "ABCD"}
RULES = """
version: 1
providers:
  big:
    url: {big}/v1
    key: ["${{A}}", "${{B}}", "${{C}}"]
    choose: {choose}
    rpm: {rpm}
  small: {{url: {small}/v1, key: "${{D}}"}}
models: {{m: {{provider: big, rate: 1, chain: [m, small/m]}}}}
rules: [{{name: all, try: model}}]
"""


def text(big: KeyHolder, small: KeyHolder, choose: str = "first", rpm: int = 100) -> str:
    return RULES.format(big=big.url, small=small.url, choose=choose, rpm=rpm)


def used(holder: KeyHolder) -> list[str]:
    """The letters of the keys that came, in order."""
    letters = {secret: letter for letter, secret in KEYS.items()}
    return [letters.get(key, "?") for _, key in holder.seen]


def key_numbers(state) -> list[int | None]:
    return [json.loads(row["features"]).get("key") for row in rows(state)]


async def test_a_refused_key_rests_and_the_next_one_is_used(tmp_path):
    """B-145: 401 for one key costs the call a second try, and no later call anything."""
    big, small = KeyHolder(keys={KEYS["B"], KEYS["C"]}), KeyHolder()
    async with (
        holding(big, small),
        running(tmp_path, 0, text=text(big, small), env=KEYS, check=False) as sidecar,
    ):
        for _ in range(3):
            reply = await sidecar.call(CHAT)
            assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "big")
            assert not any(secret.encode() in reply.body for secret in KEYS.values())
        assert used(big) == ["A", "B", "B", "B"]
        assert used(small) == []
        assert key_numbers(sidecar.state) == [1, 2, 2, 2]
        assert set(provider_keys(sidecar.sidecar.books.current)) == set(KEYS.values())


async def test_the_next_provider_when_no_key_is_good(tmp_path):
    big, small = KeyHolder(keys={"none"}), KeyHolder()
    async with (
        holding(big, small),
        running(tmp_path, 0, text=text(big, small), env=KEYS, check=False) as sidecar,
    ):
        for _ in range(2):
            reply = await sidecar.call(CHAT)
            assert (reply.status, reply.headers["x-wattline-provider"]) == (200, "small")
        assert (used(big), used(small)) == (["A", "B", "C"], ["D", "D"])


async def test_a_failure_of_the_provider_is_not_tried_with_its_other_keys(tmp_path):
    big, small = KeyHolder(), KeyHolder()
    async with (
        holding(big, small),
        running(tmp_path, 0, text=text(big, small), env=KEYS, check=False) as sidecar,
    ):
        big.status = 500
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "small"
        assert used(big) == ["A"]
        big.status = 429
        assert (await sidecar.call(CHAT)).headers["x-wattline-provider"] == "small"
        assert used(big) == ["A", "A", "B", "C"]


async def test_calls_are_spread_over_the_keys(tmp_path):
    big, small = KeyHolder(), KeyHolder()
    async with (
        holding(big, small),
        running(tmp_path, 0, text=text(big, small, "spread", 5), env=KEYS, check=False) as sidecar,
    ):
        for _ in range(16):
            assert (await sidecar.call(CHAT)).status == 200
        assert sorted(used(big)) == [*"AAAAABBBBBCCCCC"]
        assert used(small) == ["D"]


async def test_windows_of_keys_outlive_a_restart(tmp_path):
    """The ledger knows which key an attempt took."""
    big, small = KeyHolder(), KeyHolder()
    async with holding(big, small):
        rules = text(big, small, rpm=2)
        async with running(tmp_path, 0, text=rules, env=KEYS, check=False) as sidecar:
            for _ in range(3):
                assert (await sidecar.call(CHAT)).status == 200
        assert used(big) == ["A", "A", "B"]
        async with running(tmp_path, 0, text=rules, env=KEYS, check=False) as sidecar:
            for _ in range(4):
                assert (await sidecar.call(CHAT)).status == 200
        assert used(big) == ["A", "A", "B", "B", "C", "C"]
        assert used(small) == ["D"]


async def test_no_key_of_a_provider_is_handed_out_by_it(tmp_path):
    """T8: also one that another attempt took, or will take."""
    big, small = KeyHolder(), KeyHolder()
    async with (
        holding(big, small),
        running(tmp_path, 0, text=text(big, small), env=KEYS, check=False) as sidecar,
    ):
        big.status = 400
        reply = await sidecar.call(CHAT)
        assert reply.status == 400
        assert KEYS["A"].encode() not in reply.body
        assert b"[redacted]" in reply.body
        for key in sidecar.sidecar.books.current.providers["big"].keys:
            target = Target(key, "m", "m")
            for letter in "ABC":
                assert redacted(KEYS[letter].encode(), target) == b"[redacted]"
            assert redacted(KEYS["D"].encode(), target) == KEYS["D"].encode()
