"""What a start takes out of the ledger about things that can be asked about."""

from __future__ import annotations

from kit.ledgers import AT, opened, settled
from wattline.base.clock import ManualClock
from wattline.service.metering.past import recall
from wattline.service.remembered import Remembered
from wattline.store.base import State
from wattline.store.reading import Made, made_since
from wattline.store.sqlite import SqliteLedger


async def test_what_was_made_is_remembered_for_the_time_that_is_left(tmp_path):
    """B-149: by the caller, the kind and the id; what is too old is not."""
    path = tmp_path / "ledger.sqlite"
    ledger = await SqliteLedger.open_at(path, ManualClock())
    rows = [
        (opened("old", operation="videos", at=AT - 3_600_001), settled("old", made="v0")),
        (opened("a", operation="videos", principal="ann"), settled("a", made="v1")),
        (opened("b", operation="responses"), settled("b", made="r1", state=State.ABORTED)),
        (opened("c", operation="chat"), settled("c")),
        (opened("d", operation="videos", principal="ann", provider="second"), None),
    ]
    for first, last in rows:
        await ledger.open(first)
        if last is not None:
            assert await ledger.settle(last)
    clock = ManualClock()
    remembered = Remembered(clock.monotonic)
    assert recall(remembered, path, AT / 1000 + 1000) == 2
    await ledger.close()
    assert made_since(path, AT) == [
        Made("videos", "ann", "v1", "openai", "gpt-4o-mini", "fast", AT),
        Made("responses", "local", "r1", "openai", "gpt-4o-mini", "fast", AT),
    ]
    maker = remembered.find("videos", "ann", "v1")
    assert (maker.provider, maker.model, maker.entry) == ("openai", "gpt-4o-mini", "fast")
    assert remembered.find("videos", "local", "v1") is None
    assert remembered.find("videos", "local", "v0") is None
    assert remembered.find("responses", "local", "r1") is not None
    clock.advance(2601)
    assert remembered.find("videos", "ann", "v1") is None
