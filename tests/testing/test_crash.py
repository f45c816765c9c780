"""The crash switch: off by default, refused without its companion, exact in what it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings, SettingsError
from wattline.serving import serve
from wattline.testing.crash import AT, MARK, POINTS, Crash, CrashingUpstream, marks_attempts


def test_off_by_default():
    assert Crash.from_env({}) is None
    assert Crash.from_env({MARK: "1"}) is None
    assert Crash.from_env({AT: ""}) is None
    assert not marks_attempts({})
    assert not marks_attempts({MARK: "0"})
    assert marks_attempts({MARK: "1"})
    sidecar = Sidecar(Settings(rules=None, state=Path("unused")))
    assert sidecar.crash is None
    assert not sidecar.mark_attempts


@pytest.mark.parametrize("mark", [{}, {MARK: ""}, {MARK: "0"}])
def test_refused_in_a_sidecar_in_use(mark, tmp_path, capsys):
    env = {AT: "before_send:1", **mark}
    with pytest.raises(SettingsError, match="for tests only"):
        Crash.from_env(env)
    assert serve(Settings(rules=None, state=tmp_path / "state", port=0, env=env)) == 1
    assert "for tests only" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "text",
    ["before_send", "before_send:", "before_send:0", "before_send:-1", "x:1", ":1", "before_send:1:1",
     "before_send:1.5", "before_send:٣", "before_send:" + "9" * 5_000],
)  # fmt: skip
def test_a_point_that_is_none(text):
    with pytest.raises(SettingsError, match="NAME:COUNT"):
        Crash.from_env({AT: text, MARK: "1"})


@pytest.mark.parametrize("value", ["yes", "2", "true", " 1"])
def test_a_mark_that_is_none(value):
    with pytest.raises(SettingsError, match=MARK):
        marks_attempts({MARK: value})


@pytest.mark.parametrize("point", POINTS)
def test_dies_once_at_the_nth_time_of_its_own_point(point):
    deaths = []
    crash = Crash(point, 3, lambda: deaths.append(1))
    for _ in range(5):
        for other in POINTS:
            if other != point:
                crash(other)
    assert not deaths
    for number in range(1, 6):
        crash(point)
        assert len(deaths) == (number >= 3)


class Answer:
    status, headers = 200, ()

    def __init__(self):
        self.closed = False

    async def pieces(self):
        for piece in (b"one", b'two "usage"', b"three"):
            yield piece

    def close(self):
        self.closed = True


class Inner:
    def __init__(self):
        self.answer, self.closed = Answer(), False

    async def send(self, _outgoing, _timeouts):
        return self.answer

    async def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("point", "after"),
    [("before_send", 0), ("after_send", 0), ("first_chunk", 1), ("usage_seen", 2)],
)
async def test_where_the_points_of_an_upstream_are(point, after):
    """`after`: pieces that were read before the death."""
    read, deaths, inner = [], [], Inner()
    upstream = CrashingUpstream(inner, Crash(point, 1, lambda: deaths.append(len(read))))
    incoming = await upstream.send(None, None)
    async for piece in incoming.pieces():
        read.append(piece)  # noqa: PERF401 - what was read so far is the point
    assert deaths == [after]
    assert (incoming.status, incoming.headers) == (200, ())
    incoming.close()
    await upstream.close()
    assert inner.answer.closed
    assert inner.closed
