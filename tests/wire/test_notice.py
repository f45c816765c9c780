from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattline.wire.notice import Notice, Standing

STANDINGS = st.builds(
    Standing, st.integers(1, 9), st.integers(0, 9), st.integers(1_700_000_000, 1_700_000_009)
)


@given(st.lists(STANDINGS | st.none()))
def test_the_tightest_is_told(found):
    """Decision 10: the fewest left, and of those the one that lasts longest, in whatever order."""
    notice = Notice()
    for standing in found:
        notice.stand(standing)
    real = [standing for standing in found if standing is not None]
    if not real:
        assert notice.standing is None
        return
    least = min(standing.remaining for standing in real)
    assert notice.standing in real
    assert notice.standing.remaining == least
    assert notice.standing.reset == max(s.reset for s in real if s.remaining == least)


def test_headers():
    """D-081."""
    assert Standing(100, 7, 1_700_000_000).headers() == (
        ("x-ratelimit-limit", "100"),
        ("x-ratelimit-remaining", "7"),
        ("x-ratelimit-reset", "1700000000"),
    )
