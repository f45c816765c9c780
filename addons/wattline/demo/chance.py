"""What happens by chance: delays, errors and timeouts, drawn from a seeded generator."""

from __future__ import annotations

import random

from wattline.demo.faults import Faults, parse
from wattline.demo.knobs import Knobs
from wattline.demo.shapes import CHANCE


class Chance:
    """The same seed gives the same luck."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - chance for a demo, no cryptography
        self._timeout = parse("stall_head")
        self._errors = [parse(name) for name in CHANCE]

    def faults(self, knobs: Knobs) -> Faults | None:
        """What goes wrong with the next call; None: nothing."""
        drawn = self._random.random()
        if drawn < knobs.timeout_rate:
            return self._timeout
        if drawn < knobs.timeout_rate + knobs.error_rate:
            return self._random.choice(self._errors)
        return None

    def delay(self, knobs: Knobs) -> float:
        """Seconds before the next answer's head."""
        spread = self._random.uniform(-knobs.delay_variance_ms, knobs.delay_variance_ms)
        return max(0.0, knobs.base_delay_ms + spread) / 1000
