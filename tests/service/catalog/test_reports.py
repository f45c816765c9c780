"""When providers are asked, and how often."""

from __future__ import annotations

import asyncio

import pytest

from wattline.base.clock import ManualClock
from wattline.base.origin import AuthStyle, Origin
from wattline.base.settings import SettingsError
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.service.catalog.reported import Reported
from wattline.service.catalog.reports import FIRST_BACKOFF, KEPT_SECONDS, Reports, refresh_seconds
from wattline.upstream.base import Broken


def provider(name="p", port=1, **more):
    return Provider(
        name=name,
        dialect=more.pop("dialect", "openai"),
        origin=Origin("http", "127.0.0.1", port),
        base_path="/v1",
        auth=AuthStyle.NONE,
        credential=None,
        windows=(),
        timeouts=Timeouts(),
        **more,
    )


class Asked:
    def __init__(self, *providers):
        self.providers = list(providers)
        self.names = []
        self.fails = False
        self.hold = None
        self.models = (Reported("m"),)
        self.clock = ManualClock()
        self.reports = Reports(lambda: self.providers, self.ask, self.clock.monotonic, pace=0.005)

    async def fresh(self):
        """And wait for what is asked in the background too."""
        await self.reports.fresh()
        await asyncio.gather(*self.reports._asking.values())

    async def ask(self, found):
        self.names.append(found.name)
        if self.hold is not None:
            await self.hold.wait()
        if self.fails:
            raise Broken("refused", "no")
        return self.models


@pytest.fixture
async def one():
    asked = Asked(provider())
    yield asked
    await asked.reports.close()


async def test_a_list_is_kept_for_an_hour(one):
    """E-120."""
    for _ in range(3):
        await one.fresh()
    assert one.names == ["p"]
    assert one.reports.of(one.providers[0]) == (Reported("m"),)
    one.clock.advance(KEPT_SECONDS - 1)
    await one.fresh()
    assert one.names == ["p"]
    one.clock.advance(2)
    await one.fresh()
    assert one.names == ["p", "p"]


async def test_the_loop_renews_while_somebody_wants_to_know(one):
    """B-084, B-147."""
    await one.reports.fresh()
    one.clock.advance(KEPT_SECONDS - 10)
    await one.reports.fresh()
    one.clock.advance(11)
    async with asyncio.timeout(30):
        while len(one.names) < 2:
            await asyncio.sleep(0.005)
    one.clock.advance(2 * KEPT_SECONDS)
    async with asyncio.timeout(30):
        while not one.reports._loop.done():
            await asyncio.sleep(0.005)
    assert len(one.names) == 2  # nobody asked any more


async def test_failures_wait_longer_each_time(one):
    one.fails = True
    await one.fresh()
    one.clock.advance(FIRST_BACKOFF - 1)
    await one.fresh()
    assert len(one.names) == 1
    one.clock.advance(2)
    await one.fresh()
    assert len(one.names) == 2
    one.clock.advance(FIRST_BACKOFF + 1)
    await one.fresh()
    assert len(one.names) == 2


async def test_what_was_known_outlives_a_failure(one):
    await one.reports.fresh()
    one.fails = True
    await one.reports.refresh()
    assert one.reports.of(one.providers[0]) == (Reported("m"),)


async def test_a_key_that_moved_has_another_list(one):
    """A base URL that changed by a reload: the old list is not its."""
    await one.reports.fresh()
    one.providers = [provider(port=2)]
    one.fails = True
    assert one.reports.of(one.providers[0]) == ()
    await one.reports.fresh()
    assert len(one.names) == 2


async def test_at_most_one_question_at_a_time(one):
    one.hold = asyncio.Event()
    asking = [asyncio.ensure_future(one.reports.fresh()) for _ in range(5)]
    await asyncio.sleep(0)
    one.hold.set()
    await asyncio.gather(*asking)
    assert one.names == ["p"]


async def test_who_can_not_be_asked():
    asked = Asked(provider("a", unavailable="no key"), provider("b", dialect="generate"))
    await asked.reports.fresh()
    assert asked.names == []
    await asked.reports.close()


async def test_the_version_counts_changes(one):
    await one.reports.fresh()
    before = one.reports.version
    await one.reports.refresh()
    assert one.reports.version == before
    one.models = (Reported("n"),)
    await one.reports.refresh()
    assert one.reports.version == before + 1


def test_the_pace_is_a_setting():
    """B-147: 5000 ms."""
    assert refresh_seconds({}) == 5.0
    assert refresh_seconds({"MODEL_CAPS_REFRESH_MS": "250"}) == 0.25
    for wrong in ("0", "-1", "x", "1e3", "99", "9" * 30, "٣٠٠"):
        with pytest.raises(SettingsError, match="MODEL_CAPS_REFRESH_MS"):
            refresh_seconds({"MODEL_CAPS_REFRESH_MS": wrong})
