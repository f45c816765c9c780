"""The SQLite ledger against a plain model: any order of verbs, crashes and restarts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kit.ledgers import opened, query, settled
from wattline.base.clock import ManualClock
from wattline.store.audit import audit
from wattline.store.base import InsufficientBalance, LedgerDown, State
from wattline.store.sqlite import SqliteLedger

PRINCIPALS = st.sampled_from(["ann", "bob", "eve"])
MICRO = st.integers(0, 1_000)
ENDS = st.sampled_from([s for s in State if s not in {State.SENT, State.UNSETTLED}])


class LedgerMachine(RuleBasedStateMachine):
    """The model: each attempt's principal, hold, estimate, state and energy; each credit."""

    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="wattline-"))
        self.lives = 0
        self.clock = ManualClock()
        self.attempts: dict[str, dict] = {}
        self.credits: dict[str, list[int]] = {}
        self.outage = False
        self.path = self.folder / "0" / "ledger.sqlite"
        self.start()

    def start(self):
        self.kept: dict[str, tuple] = {}
        self.ledger = self.run(SqliteLedger.open_at(self.path, self.clock, sync_every=3_600))

    def run(self, work):
        return self.runner.run(work)

    def teardown(self):
        if hasattr(self, "runner"):
            self.run(self.ledger.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def free(self, principal):
        if principal not in self.credits:
            return None
        mine = [a for a in self.attempts.values() if a["principal"] == principal]
        held = sum(a["hold"] for a in mine if a["state"] is State.SENT)
        return sum(self.credits[principal]) - held - sum(a["energy"] or 0 for a in mine)

    def back_up(self):
        """Writing works again: what was kept is booked first."""
        self.outage = False
        for name, (state, energy) in self.kept.items():
            if self.attempts[name]["state"] is State.SENT:
                self.attempts[name] |= {"state": state, "energy": energy}
        self.kept.clear()

    @rule(principal=PRINCIPALS, micro=st.integers(-500, 3_000))
    def credit(self, principal, micro):
        async def work():
            await self.ledger.credit(principal, micro, "test")

        if self.outage:
            with pytest.raises(LedgerDown):
                self.run(work())
            return
        self.run(work())
        self.credits.setdefault(principal, []).append(micro)

    @rule(rows=st.lists(st.tuples(PRINCIPALS, MICRO, st.none() | MICRO), min_size=1, max_size=6))
    def open_at_once(self, rows):
        made = [
            opened(f"a{len(self.attempts)}.{n}", principal=p, hold=hold, estimate_energy=estimate)
            for n, (p, hold, estimate) in enumerate(rows)
        ]

        async def work():
            return await asyncio.gather(*map(self.ledger.open, made), return_exceptions=True)

        for row, result in zip(made, self.run(work()), strict=True):
            if self.outage:
                assert isinstance(result, LedgerDown)
                continue
            free = self.free(row.principal)
            if free is not None and free < row.hold:
                assert isinstance(result, InsufficientBalance)
                continue
            assert result is True
            self.attempts[row.attempt] = {
                "principal": row.principal,
                "hold": row.hold,
                "estimate": row.estimate_energy,
                "state": State.SENT,
                "energy": None,
            }

    @precondition(lambda self: self.attempts)
    @rule(
        data=st.data(),
        state=ENDS,
        energy=st.none() | st.integers(0, 1_500),
        times=st.integers(1, 3),
    )
    def settle(self, data, state, energy, times):
        name = data.draw(st.sampled_from(sorted(self.attempts)))
        energy = None if state is State.FAILED else energy

        async def work():
            done = [
                self.ledger.settle(settled(name, state=state, energy=energy)) for _ in range(times)
            ]
            return await asyncio.gather(*done, return_exceptions=True)

        results = self.run(work())
        if self.outage:
            assert all(isinstance(result, LedgerDown) for result in results)
            self.kept.setdefault(name, (state, energy))
            return
        attempt = self.attempts[name]
        first = attempt["state"] is State.SENT
        assert results == [first] + [False] * (times - 1)
        if first:
            attempt |= {"state": state, "energy": energy}

    @rule()
    def settle_nobody(self):
        async def work():
            return await self.ledger.settle(settled("nobody"))

        if self.outage:
            return
        assert self.run(work()) is False

    @precondition(lambda self: not self.outage)
    @rule()
    def fail(self):
        """The file becomes read-only; the next use notices."""
        self.run(self.pragma("query_only = 1"))
        self.outage = True
        self.credit_is_refused()

    @precondition(lambda self: self.outage)
    @rule()
    def mend(self):
        self.run(self.pragma("query_only = 0"))
        self.clock.advance(60)
        self.back_up()

        async def work():
            await self.ledger.credit("ann", 0, "probe")

        self.run(work())
        self.credits.setdefault("ann", []).append(0)

    def credit_is_refused(self):
        with pytest.raises(LedgerDown):
            self.run(self.ledger.credit("ann", 1, "test"))

    async def pragma(self, text):
        writer = self.ledger._writer
        await writer._hop(lambda: writer._conn.execute(f"PRAGMA {text}").fetchall())

    @rule(kill=st.booleans())
    def restart(self, kill):
        """A kill leaves the files as they are at that moment; a stop writes what is left."""
        if not kill and self.outage:
            self.run(self.pragma("query_only = 0"))
            self.back_up()
        if kill:
            self.lives += 1
            copy = self.folder / str(self.lives) / self.path.name
            copy.parent.mkdir()
            for name in (self.path.name, self.path.name + "-wal"):
                shutil.copy(self.path.with_name(name), copy.with_name(name))
            self.run(self.ledger.close())
            self.path = copy
        else:
            self.run(self.ledger.close())
        self.outage = False
        open_now = [a for a in self.attempts.values() if a["state"] is State.SENT]
        for attempt in open_now:
            attempt |= {"state": State.UNSETTLED, "energy": attempt["estimate"]}
        self.start()
        assert self.ledger.recovered == len(open_now)

    @invariant()
    def the_balances_are_the_models(self):
        if hasattr(self, "ledger"):
            for principal in ("ann", "bob", "eve"):
                assert self.ledger.balance(principal) == self.free(principal)

    @invariant()
    def the_file_has_what_the_model_has(self):
        if hasattr(self, "ledger"):
            rows = query(self.path, "SELECT attempt, state, energy FROM attempts")
            assert {name: (state, energy) for name, state, energy in rows} == {
                name: (a["state"], a["energy"]) for name, a in self.attempts.items()
            }
            report = audit(self.path)
            assert report.ok, report.differences


LedgerMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerMachine = LedgerMachine.TestCase
