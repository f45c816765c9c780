"""What the kernel knows about a process: CPU time by thread, memory. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """A reading: nanoseconds on a core by thread, and the whole process's seconds."""

    threads: dict[int, int]
    process: float

    def since(self, before: Cpu) -> tuple[float, float]:
        """Seconds used since `before`: summed over the threads, and as the process's own sum."""
        own = sum(used - before.threads.get(tid, 0) for tid, used in self.threads.items())
        return own / 1e9, self.process - before.process


def read_cpu(pid: int, proc: Path = Path("/proc")) -> Cpu:
    """CPU time of `pid` so far; its children are not in it. Raises OSError if it is gone."""
    threads: dict[int, int] = {}
    for task in (proc / str(pid) / "task").iterdir():
        try:
            threads[int(task.name)] = parse_schedstat((task / "schedstat").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has ended between the listing and the reading
    return Cpu(threads, parse_stat((proc / str(pid) / "stat").read_text()))


def read_rss(pid: int, proc: Path = Path("/proc")) -> int:
    """Resident memory in bytes. Raises OSError if the process is gone."""
    return parse_rss((proc / str(pid) / "status").read_text())


def parse_schedstat(text: str) -> int:
    """Nanoseconds on a core: the first of three numbers (kernel: scheduler/sched-stats).

    Raises ValueError.
    """
    fields = text.split()
    if len(fields) != 3 or not all(f.isascii() and f.isdigit() for f in fields):
        raise ValueError(f"schedstat is {text[:60]!r}; wanted three numbers")
    return int(fields[0])


def parse_stat(text: str) -> float:
    """Seconds in user and kernel mode, ended threads included: fields 14 and 15 of proc(5) stat.

    The second field, a name in brackets, may hold spaces and brackets itself. Raises ValueError.
    """
    _, closed, rest = text.rpartition(")")
    fields = rest.split()
    if not closed or len(fields) < 13:
        raise ValueError(f"stat is {text[:60]!r}; wanted its name in brackets and 13 more fields")
    return (int(fields[11]) + int(fields[12])) / _TICK


def parse_rss(text: str) -> int:
    """Bytes of the VmRSS line of proc(5) status. Raises ValueError."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.removesuffix("kB")) * 1024
    raise ValueError("status has no VmRSS line")


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run the block, and the processes that it starts, on one core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
