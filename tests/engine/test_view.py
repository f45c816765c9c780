from __future__ import annotations

from kit.decisions import a_provider, a_view, a_window, state_of
from wattline.engine.rest import Resting
from wattline.engine.windows import Claim, Windows


def test_looking_takes_nothing():
    windows, resting, window = Windows(), Resting(), a_window("w", calls=1)
    view = a_view(windows, resting, {"ann": 5})
    for _ in range(3):
        assert view.peek(window, "w", 0.0) is None
        assert view.fill(window, "w", 0.0) == 0.0
    assert windows.size == 0
    windows.take([Claim(window, "w")], 0.0)
    assert view.peek(window, "w", 0.0) is not None
    assert view.fill(window, "w", 0.0) == 1.0
    assert (view.balance("ann"), view.balance("bob")) == (5, None)
    resting.rest("groq", 5.0, "x")
    assert state_of(view, "groq", 4.9) == "resting"
    assert state_of(view, "groq", 5.0) == "healthy"


def test_the_window_that_lasts_longest_keeps_a_call_out():
    """Decision 10: the tightest answers."""
    windows = Windows()
    minute, hour = a_window("minute", 60.0, 1), a_window("hour", 3_600.0, 1)
    provider = a_provider("groq", windows=(minute, hour, a_window("free", calls=5)))
    view = a_view(windows)
    assert view.full(provider, 0, 0.0) is None
    windows.take([Claim(minute, "minute"), Claim(hour, "hour")], 0.0)
    full = view.full(provider, 0, 1.0)
    assert full is not None
    assert (full.window, full.retry_after) == (hour, 3_599.0)
