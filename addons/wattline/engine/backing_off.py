"""How long an account rests that is limited and does not say, in a way that can be read, for how long.

`FIRST` seconds, twice as long each time that it is limited again, up to `LONGEST`. An answer ends that, and so does
a while in which nobody was limited. Pure: the clock is an argument, in monotonic seconds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

FIRST: Final = 1.0
LONGEST: Final = 60.0
QUIET: Final = 60.0
"""Seconds after a rest's end from which on the next is a first one."""
KEPT: Final = 4_096
"""Most accounts that are remembered: those of users with keys of their own are without number."""


class _Step(NamedTuple):
    begun: float
    seconds: float


class BackingOff:
    """The accounts that were limited lately. Empty, as it is most often, it is false."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def limited(self, account: str, began: float, now: float) -> float | None:
        """Seconds to rest after an attempt that began then. Of one that began before the last such rest was over,
        what is left of that: it says nothing new. None where nothing is left.
        """
        last = self._steps.pop(account, None)
        if last is not None and began < last.begun + last.seconds:
            self._steps[account] = last
            left = last.begun + last.seconds - now
            return left if left > 0 else None
        again = last is not None and now < last.begun + last.seconds + QUIET
        seconds = min(2 * last.seconds, LONGEST) if last is not None and again else FIRST
        self._steps[account] = _Step(now, seconds)
        if len(self._steps) > KEPT:
            del self._steps[next(iter(self._steps))]
        return seconds

    def answered(self, account: str, began: float) -> bool:
        """An attempt that began then was not limited; whether that ended something."""
        last = self._steps.get(account)
        if last is None or began < last.begun:
            return False
        del self._steps[account]
        return True

    def clear(self) -> None:
        """Forget all."""
        self._steps.clear()
