"""Who made what: for how long, for whom, and how many."""

from __future__ import annotations

import pytest

from wattline.base.clock import ManualClock
from wattline.base.settings import SettingsError
from wattline.service.remembered import MAX_IDS, Place, Remembered, remembered_seconds

PLACE = Place("p0", "up0", "m")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def remembered(clock):
    return Remembered(clock.monotonic, 100.0, max_ids=3)


def test_until_its_time_is_over(clock, remembered):
    """B-149: asking does not make it last longer."""
    remembered.note("videos", "ann", "v1", PLACE)
    for _ in range(9):
        clock.advance(11)
        maker = remembered.find("videos", "ann", "v1")
        assert Place(maker.provider, maker.model, maker.entry, maker.key) == PLACE
    clock.advance(1)
    assert remembered.find("videos", "ann", "v1") is None


def test_what_was_made_a_while_ago_has_less_time(clock, remembered):
    remembered.note("videos", "ann", "v1", PLACE, age=90.0)
    remembered.note("videos", "ann", "v2", PLACE, age=100.0)
    remembered.note("videos", "ann", "v3", PLACE, age=-5.0)
    clock.advance(9)
    found = [remembered.find("videos", "ann", f"v{n}") is not None for n in (1, 2, 3)]
    assert found == [True, False, True]
    clock.advance(2)
    assert remembered.find("videos", "ann", "v1") is None
    clock.advance(89)
    assert remembered.find("videos", "ann", "v3") is None


def test_only_for_the_caller_and_the_kind(remembered):
    remembered.note("videos", "ann", "x", PLACE)
    remembered.note("videos", "bob", "x", Place("p1", "up1", "m"))
    assert remembered.find("videos", "ann", "x").provider == "p0"
    assert remembered.find("videos", "bob", "x").provider == "p1"
    assert remembered.find("videos", "eve", "x") is None
    assert remembered.find("responses", "ann", "x") is None


def test_the_one_asked_for_longest_ago_is_forgotten_first(remembered):
    """Bounded, and one kind does not push out another."""
    remembered.note("videos", "ann", "kept", PLACE)
    for number in range(10):
        remembered.note("responses", "ann", f"r{number}", PLACE)
        assert remembered.find("responses", "ann", "r0") is not None
    found = [n for n in range(10) if remembered.find("responses", "ann", f"r{n}") is not None]
    assert found == [0, 8, 9]
    assert remembered.find("videos", "ann", "kept") is not None
    assert repr(remembered) == "<Remembered 4 ids>"


def test_many_are_cheap():
    clock = ManualClock()
    remembered = Remembered(clock.monotonic)
    for number in range(2 * MAX_IDS):
        clock.advance(0.001)
        remembered.note("responses", "ann", f"r{number}", PLACE)
    assert repr(remembered) == f"<Remembered {MAX_IDS} ids>"


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 3600.0), (" ", 3600.0), ("1", 0.001), (" 90000 ", 90.0)]
)
def test_the_setting(text, seconds):
    """B-149."""
    assert remembered_seconds({"VIDEO_REQUEST_CACHE_TTL_MS": text}) == seconds
    assert remembered_seconds({}) == 3600.0


@pytest.mark.parametrize("text", ["0", "-1", "1h", "1.5", "٣", "9" * 11, "9" * 5000, "2592000001"])
def test_a_setting_that_is_none(text):
    with pytest.raises(SettingsError, match="VIDEO_REQUEST_CACHE_TTL_MS"):
        remembered_seconds({"VIDEO_REQUEST_CACHE_TTL_MS": text})


def test_the_key_that_made_it_is_remembered(remembered):
    remembered.note("responses", "ann", "r1", Place("p0", "up0", "m", 3))
    remembered.note("responses", "ann", "r2", Place("p0", "up0", "m"))
    assert [remembered.find("responses", "ann", name).key for name in ("r1", "r2")] == [3, 0]
