"""Which response an event is about."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.dialects.openai.lanes import MAX_OVER, Lanes


def test_in_the_order_in_which_they_were_asked_for():
    lanes: Lanes[str] = Lanes()
    lanes.ask("a")
    lanes.ask("b")
    assert lanes.created("r1") == "a"
    assert lanes.created("r1") == "a"
    assert lanes.created("r2") == "b"
    assert lanes.created("r3") is None
    assert lanes.speaking("r2") == "b"
    assert lanes.ended("r2") == "b"
    assert lanes.ended("r2") is None
    assert lanes.ended("r1") == "a"
    assert len(lanes) == 0


def test_lanes_keep_apart():
    lanes: Lanes[str] = Lanes()
    lanes.ask("a", lane="x")
    lanes.ask("b", lane="y")
    assert lanes.created("r1", "y") == "b"
    assert lanes.speaking(None, "y") == "b"
    assert lanes.speaking(None, "x") == "a"
    assert lanes.failed("x") is None
    assert lanes.refused(None, "x") == "a"
    assert lanes.failed("y") == "b"


def test_errors_name_what_they_answer():
    lanes: Lanes[str] = Lanes()
    lanes.ask("a", "event_1")
    lanes.ask("b", "event_2")
    assert lanes.refused("event_9") is None
    assert lanes.refused("event_2") == "b"
    assert lanes.refused(None) == "a"
    assert lanes.refused(None) is None


def test_a_second_end_is_known():
    """T17: a provider that tells an end twice must not be paid twice."""
    lanes: Lanes[str] = Lanes()
    lanes.ask("a")
    assert lanes.created("r1") == "a"
    assert not lanes.over("r1")
    assert lanes.ended("r1") == "a"
    assert lanes.over("r1")
    assert not lanes.over("r2")
    assert not lanes.over(None)
    lanes.ask("b")
    assert lanes.created("r1") == "b"  # some name all their responses alike
    assert not lanes.over("r1")
    assert lanes.ended("r1") == "b"
    for number in range(MAX_OVER):
        lanes.ended(f"own_{number}")
    assert not lanes.over("r1")


def test_a_response_that_nobody_named():
    lanes: Lanes[str] = Lanes()
    lanes.ask("a")
    assert lanes.speaking(None) == "a"
    assert lanes.ended(None) == "a"
    lanes.begin("own", "c")
    assert lanes.speaking(None) == "c"
    assert lanes.ended(None) == "c"


STEPS = st.tuples(
    st.sampled_from(["ask", "begin", "created", "speaking", "ended", "refused", "failed"]),
    st.one_of(st.none(), st.sampled_from(["r1", "r2"])),
    st.one_of(st.none(), st.sampled_from(["x", "y"])),
)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_turn_is_lost_or_given_out_twice(steps):
    lanes: Lanes[int] = Lanes()
    inside: set[int] = set()
    for number, (step, name, lane) in enumerate(steps):
        if step == "ask":
            lanes.ask(number, name, lane)
            inside.add(number)
        elif step == "begin":
            if lanes.created(name or "r0", lane) is None:
                lanes.begin(name or "r0", number, lane)
                inside.add(number)
        elif step == "failed":
            inside -= {lanes.failed(lane)}
        elif step in ("created", "speaking"):
            found = getattr(lanes, step)(name, lane)
            assert found is None or found in inside
        else:
            found = getattr(lanes, step)(name, lane)
            assert found is None or found in inside
            inside -= {found}
        assert sorted(lanes.turns()) == sorted(inside)
        assert len(lanes) == len(inside)
    assert sorted(lanes.drain()) == sorted(inside)
    assert len(lanes) == 0
