from __future__ import annotations

from collections import Counter

from wattline.demo.chance import Chance
from wattline.demo.knobs import Knobs
from wattline.demo.shapes import CHANCE

DRAWS = 20_000


def _drawn(knobs: Knobs, seed: int = 7) -> Counter[str]:
    chance = Chance(seed)
    return Counter(faults.spec if (faults := chance.faults(knobs)) else "ok" for _ in range(DRAWS))


def test_rates_over_many_draws():
    """B-129 B-130: 15 % errors and 5 % timeouts, each within a percent of all calls."""
    drawn = _drawn(Knobs())
    errors = sum(drawn[name] for name in CHANCE)
    assert abs(errors / DRAWS - 0.15) < 0.01
    assert abs(drawn["stall_head"] / DRAWS - 0.05) < 0.01
    assert all(drawn[name] > DRAWS * 0.15 / len(CHANCE) / 2 for name in CHANCE)


def test_rates_of_0_and_1_are_exact():
    """B-129 B-130."""
    assert _drawn(Knobs(error_rate=0, timeout_rate=0)) == {"ok": DRAWS}
    assert _drawn(Knobs(error_rate=0, timeout_rate=1)) == {"stall_head": DRAWS}
    assert _drawn(Knobs(error_rate=1, timeout_rate=0.05))["ok"] == 0


def test_the_same_seed_gives_the_same_luck():
    assert _drawn(Knobs(), seed=1) == _drawn(Knobs(), seed=1)
    assert _drawn(Knobs(), seed=1) != _drawn(Knobs(), seed=2)


def test_delays_are_spread_evenly_around_the_base():
    """B-127 B-128: from 100 to 300 ms, 200 on average."""
    chance = Chance(3)
    delays = [chance.delay(Knobs()) for _ in range(DRAWS)]
    assert 0.1 <= min(delays) < 0.101
    assert 0.299 < max(delays) <= 0.3
    assert abs(sum(delays) / DRAWS - 0.2) < 0.002


def test_a_delay_is_never_negative():
    """B-128."""
    chance = Chance(3)
    delays = [chance.delay(Knobs(base_delay_ms=1, delay_variance_ms=500)) for _ in range(1000)]
    assert min(delays) == 0
