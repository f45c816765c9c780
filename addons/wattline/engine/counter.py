"""What one window counts under one key: slots in the order of time, and their sums."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MAX_SLOTS = 8_192
"""Slots kept for one key, where no other number is given. Past it, settled slots within a half as many parts of
the period are joined and leave together, when the last of them does: such a window lets through a little less
than it could, never more."""
GRANULES = MAX_SLOTS // 2


class Slot:
    """What one call took, at one time."""

    __slots__ = ("at", "calls", "live", "open", "tokens")

    def __init__(self, at: float, calls: int, tokens: int, *, is_open: bool) -> None:
        self.at = at
        self.calls = calls
        self.tokens = tokens
        self.open = is_open
        """Its ticket may still change it."""
        self.live = True
        """It is still counted."""


class Counter:
    """The slots of one window and key in the order of time, and their sums."""

    __slots__ = ("_compact_at", "_most", "_per", "_released", "calls", "slots", "tokens")

    def __init__(self, per: float, most: int = MAX_SLOTS) -> None:
        self.slots: deque[Slot] = deque()
        self.calls = 0
        self.tokens = 0
        self._per = per
        self._released = 0
        self._most = self._compact_at = most

    def expire(self, now: float) -> None:
        """Drop what is `per` seconds old."""
        slots, per = self.slots, self._per
        while slots and slots[0].at + per <= now:
            slot = slots.popleft()
            slot.live = False
            self.calls -= slot.calls
            self.tokens -= slot.tokens

    def idle(self, now: float) -> bool:
        """Nothing is counted any more."""
        return not self.slots or self.slots[-1].at + self._per <= now

    def add(self, now: float, calls: int, tokens: int) -> Slot:
        """Count one call that is on its way."""
        at = max(now, self.slots[-1].at) if self.slots else now
        slot = Slot(at, calls, tokens, is_open=True)
        self.slots.append(slot)
        self.calls += calls
        self.tokens += tokens
        if len(self.slots) > self._compact_at:
            self._compact()
        return slot

    def seed(self, at: float, calls: int, tokens: int) -> None:
        """Count one call of the past, at its place in time."""
        later = []
        while self.slots and self.slots[-1].at > at:
            later.append(self.slots.pop())
        self.slots.append(Slot(at, calls, tokens, is_open=False))
        self.slots.extend(reversed(later))
        self.calls += calls
        self.tokens += tokens
        if len(self.slots) > self._compact_at:
            self._compact()

    def settle(self, slot: Slot, tokens: int) -> None:
        """Put the real count in the place of the reserved one."""
        slot.open = False
        if slot.live:
            self.tokens += tokens - slot.tokens
            slot.tokens = tokens

    def release(self, slot: Slot) -> None:
        """Count it no more."""
        slot.open = False
        if not slot.live:
            return
        self.calls -= slot.calls
        self.tokens -= slot.tokens
        slot.calls = slot.tokens = 0
        self._released += 1
        if self._released * 2 > len(self.slots):
            self._compact()

    def freed_after(self, excess: int, now: float, *, tokens: bool) -> float:
        """Seconds until so many calls or tokens have left. There must be as many."""
        at = now
        for slot in self.slots:
            excess -= slot.tokens if tokens else slot.calls
            at = slot.at
            if excess <= 0:
                break
        return max(at + self._per - now, 0.0)

    def _compact(self) -> None:
        """Drop released slots; when too many are left, join those that are close in time."""
        self._released = 0
        kept = deque(slot for slot in self.slots if slot.calls or slot.tokens or slot.open)
        granule = self._per / (self._most // 2)
        self.slots = _joined(kept, granule) if len(kept) > self._most else kept
        # Slots of calls on their way can't be joined: look again only when there are twice as many.
        self._compact_at = max(self._most, 2 * len(self.slots))


def _joined(slots: Iterable[Slot], granule: float) -> deque[Slot]:
    """Each settled slot takes in the settled one before it, if both are of one granule of time."""
    kept: deque[Slot] = deque()
    for slot in slots:
        before = kept[-1] if kept else slot
        same = before.at // granule == slot.at // granule
        if before is not slot and same and not before.open and not slot.open:
            slot.calls += before.calls
            slot.tokens += before.tokens
            kept[-1] = slot
        else:
            kept.append(slot)
    return kept
