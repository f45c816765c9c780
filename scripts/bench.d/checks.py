"""The benchmark's checks on itself. A figure from a run that fails one of them is worth nothing:
a gateway that loses calls, or answers them twice, looks fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TOLERANCE = 0.10
"""How far requests/s times mean latency may be from the number of connections."""

_KEPT = 5


class CheckFailed(Exception):
    """The run can't be trusted; the message says why."""


@dataclass(slots=True)
class Failures:
    """How many calls failed, and the first few reasons."""

    count: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """One more."""
        self.count += 1
        if len(self.reasons) < _KEPT:
            self.reasons.append(reason)

    def check(self) -> None:
        """Raises CheckFailed if there was any."""
        if self.count:
            reasons = "\n  ".join(self.reasons)
            raise CheckFailed(f"{self.count} calls failed, the first of them:\n  {reasons}")


def check_in_flight(in_flight: float, connections: int) -> None:
    """Little's law: requests/s times mean latency is the number of connections.

    It is not when some connections hang while the others look fast. Raises CheckFailed.
    """
    if abs(in_flight - connections) > TOLERANCE * connections:
        raise CheckFailed(
            f"requests/s x mean latency is {in_flight:.2f} with {connections} connections: "
            "some of them were not calling all the time"
        )


def check_counts(what: str, *, sent: int, served: int, retries: bool) -> int:
    """The mock served what was sent, or more where a gateway retries; returns how many more.

    Raises CheckFailed.
    """
    if served < sent:
        raise CheckFailed(
            f"{sent} {what} were answered but the mock served only {served}: "
            "some answers did not come from it"
        )
    if served > sent and not retries:
        raise CheckFailed(
            f"{sent} {what} were answered and the mock served {served}, "
            "from a gateway that should not retry"
        )
    return served - sent


def check_cpu(threads: float, process: float) -> None:
    """CPU seconds summed over the threads' schedstat against the process's own, coarser sum.

    A thread that ended meanwhile takes its schedstat with it. Raises CheckFailed.
    """
    if process - threads > 0.05 + 0.1 * threads:
        raise CheckFailed(
            f"the gateway's threads account for {threads:.3f} s of CPU but the process for "
            f"{process:.3f} s: a thread ended in the slice and its share is lost"
        )
