from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.demo.faults import SHAPES, FaultError, parse
from wattline.demo.reply import Break, Event, Kind, Reply
from wattline.demo.shapes import Moment

MOMENT = Moment(1_700_000_000.0, (("x-a", "b"),))


def _applied(spec: str, *, stream: bool = True) -> Reply:
    reply = Reply({"usage": {"prompt_tokens": 1}})
    if stream:
        reply.events = [Event({"n": n}, Kind.OUTPUT) for n in range(5)]
    parse(spec).apply(reply, MOMENT)
    return reply


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("stal_mid", "did you mean 'stall_mid'"),
        ("", "there is no fault ''"),
        ("qqqq", "there are ok, "),
        ("refuse", "provider.refuse"),
        ("close:3", "takes no argument"),
        ("cut:-1", "from 0 to 1e\\+06"),
        ("cut:1.5", "a whole number"),
        ("cut:nan", "a whole number"),
        ("big", "from 1 to"),
        ("429:soon", "date, garbage, huge or a number"),
        ("error_in_200:bad", "server_error, "),
        ("ok+nonsense", "there is no fault 'nonsense'"),
        ("+".join(["ok"] * 9), "8 parts"),
        ("x" * 201, "200 characters"),
    ],
)
def test_what_can_not_be_read_is_refused(spec, message):
    with pytest.raises(FaultError, match=message):
        parse(spec)


def test_a_default_argument_is_three_events():
    assert _applied("cut").manner.after == {3: Break.CLOSE}


def test_an_argument_chooses_the_event():
    assert _applied("stall_mid:7").manner.after == {7: Break.STALL}


def test_of_a_body_in_one_piece_half_is_sent_before_the_break():
    assert _applied("cut:7", stream=False).manner.after == {1: Break.CLOSE}
    assert _applied("cut:0", stream=False).manner.after == {0: Break.CLOSE}


def test_faults_can_be_joined():
    faults = parse("tokens:200 + cut:100")
    assert faults.words(MOMENT) == "demo" * 200
    assert _applied("gzip+cut:1").manner.gzip
    assert _applied("gzip+cut:1").manner.after == {1: Break.CLOSE}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("429", None),
        ("429:7", "7"),
        ("429:-1", "-1"),
        ("429:1.5", "1.5"),
        ("429:date", "Tue, 14 Nov 2023 22:13:25 GMT"),
        ("429:garbage", "soon, maybe"),
        ("429:huge", "99999999999"),
        ("503:2", "2"),
    ],
)
def test_retry_after(spec, value):
    """Seconds, a date five seconds ahead, garbage, or far too long."""
    assert dict(_applied(spec).headers).get("retry-after") == value


def test_every_fault_is_in_the_documentation():
    page = Path(__file__).parents[2].joinpath("docs/demo.md").read_text()
    assert [name for name in [*SHAPES, "refuse"] if f"`{name}" not in page] == []


@given(
    st.text(max_size=30)
    | st.lists(
        st.tuples(st.sampled_from(list(SHAPES)), st.sampled_from(["", ":", ":1", ":x", ":1e9"])),
        max_size=10,
    ).map(lambda parts: "+".join(name + argument for name, argument in parts))
)
def test_any_text_is_a_fault_or_refused(spec):
    try:
        faults = parse(spec)
    except FaultError:
        return
    for stream in (True, False):
        reply = Reply({"usage": {"prompt_tokens": 1}})
        if stream:
            reply.events = [Event({"n": n}, Kind.OUTPUT) for n in range(5)]
        if "big" not in spec:
            faults.apply(reply, MOMENT)
