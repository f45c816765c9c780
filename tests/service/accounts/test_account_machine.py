"""Users, keys, tokens, balances, budgets and referrals against a plain model: any order of verbs, calls at once,
crashes.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kit.accounts import book
from kit.ledgers import opened, query, settled
from wattline.base.clock import ManualClock
from wattline.base.errors import ClientFault
from wattline.base.ids import hash_secret
from wattline.engine.spending import HOUR, Exceeded, Spending
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.referrals import Referrals
from wattline.service.accounts.user_tokens import UserTokens
from wattline.service.metering.past import recount
from wattline.service.metering.settlement import Settlement
from wattline.store.audit import audit
from wattline.store.base import InsufficientBalance, State
from wattline.store.people import read_people
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import Budgets, Role

USERS = st.sampled_from(["ann", "bob", "eve"])
MICRO = st.integers(1, 1_000)
BUDGET = st.none() | st.integers(1, 2_000)
START, BONUS, ABOVE = 1_500, 300, 1_000
"""Micro-units: what a user begins with, gets for a referral, and above which the bonus account is free."""
RULES = book(
    "accounts: {start_balance: 0.0015, referral_bonus: 0.0003, bonus_user: eve, bonus_above: 0.001}\n"
)


class AccountMachine(RuleBasedStateMachine):
    """The model: users (disabled, credits), keys (secret, state, bounds), attempts. `secrets` has every
    secret that was ever given out.
    """

    @initialize()
    def begin(self):
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="wattline-"))
        self.lives = 0
        self.clock = ManualClock()
        self.users: dict[str, dict] = {}
        self.keys: dict[str, dict] = {}
        self.secrets: list[str] = []
        self.attempts: dict[str, dict] = {}
        self.brought: dict[str, str] = {}
        self.numbers = itertools.count()
        self.path = self.folder / "0" / "ledger.sqlite"
        self.start()

    def start(self):
        self.ledger = self.run(SqliteLedger.open_at(self.path, self.clock, sync_every=3_600))
        self.spending = Spending()
        recount(self.spending, self.path, self.clock.monotonic(), self.clock.wall())
        store = self.ledger.accounts
        self.directory = Directory(store, self.clock)
        self.accounts = Accounts(store, self.ledger, self.clock, lambda: RULES, self.spending)
        self.referrals = Referrals(
            self.ledger.referrals, self.accounts, UserTokens(self.accounts), lambda: RULES
        )

    def run(self, work):
        return self.runner.run(work)

    def teardown(self):
        if hasattr(self, "runner"):
            self.run(self.ledger.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def free(self, user):
        given = self.users[user]["credits"]
        if not given:
            return None
        mine = [a for a in self.attempts.values() if a["user"] == user]
        held = sum(a["hold"] for a in mine if a["state"] is State.SENT)
        return sum(given) - held - sum(a["energy"] or 0 for a in mine)

    def owner_of(self, secret):
        """The key that this secret opens now, by the model."""
        for name, key in self.keys.items():
            if key["secret"] == secret:
                expired = key["expires"] is not None and self.now() >= key["expires"]
                user = self.users[key["user"]]
                return None if key["disabled"] or expired or user["disabled"] else name
        return None

    def now(self):
        return self.clock.wall() * 1000

    @rule(user=USERS, start=st.none() | st.integers(0, 3_000))
    def create_user(self, user, start):
        if user in self.users:
            with pytest.raises(ClientFault, match="already"):
                self.run(self.accounts.create_user(user, start=start))
            return
        self.run(self.accounts.create_user(user, start=start))
        self.moved_in(user, start)

    def moved_in(self, user, start):
        self.users[user] = {
            "disabled": False,
            "credits": [] if start is None else [start],
            "prepaid": start is not None,
            "session": 0,
        }

    @rule(
        user=USERS, start=st.none() | st.integers(0, 3_000), label=st.sampled_from(["", "x" * 301])
    )
    def create_both(self, user, start, label):
        """A user and its first key, or neither."""
        work = self.accounts.create_user_with_key(user, start=start, label=label)
        if user in self.users or label:
            with pytest.raises(ClientFault, match="kept" if label else "already"):
                self.run(work)
            return
        issued = self.run(work)
        self.moved_in(user, start)
        self.note_key(user, issued, Budgets(), None)

    @rule(referrer=USERS, referred=USERS)
    def refer(self, referrer, referred):
        """A-036, A-136: once for each user, and both get the bonus, if they have a limit."""
        work = self.referrals.add(referrer, referred)
        if referrer == referred:
            with pytest.raises(ClientFault, match="itself"):
                self.run(work)
            return
        for user in (referrer, referred):
            if user not in self.users:
                self.moved_in(user, START)
        mutual = self.brought.get(referrer) == referred
        if mutual or referred in self.brought:
            with pytest.raises(ClientFault, match="other way round" if mutual else "already"):
                self.run(work)
            return
        assert self.run(work).bonus == BONUS
        self.brought[referred] = referrer
        for user in (referrer, referred):
            if self.users[user]["credits"]:
                self.users[user]["credits"].append(BONUS)

    @rule(user=USERS, expires=st.none() | st.integers(1, 7_200), hour=BUDGET, day=BUDGET)
    def create_key(self, user, expires, hour, day):
        at = None if expires is None else self.accounts.now_ms() + expires * 1000
        work = self.accounts.create_key(user, expires=at, budgets=Budgets(hour, day))
        if user not in self.users:
            with pytest.raises(ClientFault, match="no user"):
                self.run(work)
            return
        self.note_key(user, self.run(work), Budgets(hour, day), at)

    def note_key(self, user, issued, budgets, at):
        assert issued.secret not in self.secrets
        self.secrets.append(issued.secret)
        self.keys[issued.key.id] = {
            "user": user, "secret": issued.secret, "disabled": False, "expires": at, "budgets": budgets,
        }  # fmt: skip

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), verb=st.sampled_from(["rotate", "disable", "enable", "delete", "expire"]))
    def change_key(self, data, verb):
        name = data.draw(st.sampled_from(list(self.keys)))
        key = self.keys[name]
        if verb == "rotate":
            key["secret"] = self.run(self.accounts.rotate_key(name)).secret
            self.secrets.append(key["secret"])
        elif verb == "delete":
            self.run(self.accounts.delete_key(name))
            del self.keys[name]
        elif verb == "expire":
            key["expires"] = self.accounts.now_ms()
            self.run(self.accounts.change_key(name, expires=key["expires"]))
        else:
            self.run(getattr(self.accounts, f"{verb}_key")(name))
            key["disabled"] = verb == "disable"

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), hour=BUDGET)
    def other_budgets(self, data, hour):
        name = data.draw(st.sampled_from(list(self.keys)))
        self.keys[name]["budgets"] = Budgets(hour=hour)
        self.run(self.accounts.change_key(name, budgets=Budgets(hour=hour)))

    @precondition(lambda self: self.users)
    @rule(data=st.data(), verb=st.sampled_from(["disable_user", "enable_user"]))
    def change_user(self, data, verb):
        name = data.draw(st.sampled_from(sorted(self.users)))
        self.run(getattr(self.accounts, verb)(name))
        self.users[name]["disabled"] = verb == "disable_user"
        self.users[name]["session"] += 1

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def other_password(self, data):
        name = data.draw(st.sampled_from(sorted(self.users)))
        self.run(self.accounts.change_user(name, password=f"hash {next(self.numbers)}"))
        self.users[name]["session"] += 1

    @precondition(lambda self: self.users)
    @rule(data=st.data(), micro=MICRO, verb=st.sampled_from(["credit", "subtract"]))
    def change_balance(self, data, micro, verb):
        name = data.draw(st.sampled_from(sorted(self.users)))
        free = self.free(name)
        work = getattr(self.accounts, verb)(name, micro)
        if verb == "subtract" and (free is None or free < micro):
            with pytest.raises(ClientFault) as caught:
                self.run(work)
            assert caught.value.status == 409
            return
        self.run(work)
        self.users[name]["credits"].append(micro if verb == "credit" else -micro)

    @precondition(lambda self: self.secrets)
    @rule(data=st.data(), holds=st.lists(MICRO, min_size=1, max_size=5))
    def call_at_once(self, data, holds):
        """Calls with secrets old and new, as the sidecar makes them: who, budget, hold."""
        calls = []
        for hold in holds:
            secret = data.draw(st.sampled_from(self.secrets))
            caller, name = self.directory.find(hash_secret(secret)), self.owner_of(secret)
            assert (None if caller is None else caller.key) == name
            if caller is None:
                continue
            assert caller.budgets == (
                None if self.keys[name]["budgets"].none else self.keys[name]["budgets"]
            )
            now = self.clock.monotonic()
            held = self.spending.reserve(name, caller.budgets, hold, now)
            limit = self.keys[name]["budgets"].hour
            if limit is not None and self.really_spent(name) + hold > limit:
                assert isinstance(held, Exceeded)
            if isinstance(held, Exceeded):
                continue
            calls.append((f"a{next(self.numbers)}", caller, hold, held))
            self.attempts[calls[-1][0]] = {
                "user": caller.id, "key": name, "hold": hold, "state": None, "energy": None,
                "held": held, "at": None,
            }  # fmt: skip

        async def work():
            rows = [
                opened(a, principal=c.id, key=c.key, hold=h, estimate_energy=h, at=int(self.now()))
                for a, c, h, _ in calls
            ]
            return await asyncio.gather(*map(self.ledger.open, rows), return_exceptions=True)

        for (name, caller, hold, held), result in zip(calls, self.run(work()), strict=True):
            free = self.free(caller.id)
            if free is not None and free < hold:
                assert isinstance(result, InsufficientBalance)
                held.settle(0, self.clock.monotonic())
                del self.attempts[name]
                continue
            assert result is True
            self.attempts[name]["state"] = State.SENT

    def really_spent(self, key):
        """In the last hour, and on hold."""
        mine = [a for a in self.attempts.values() if a["key"] == key]
        held = sum(a["hold"] for a in mine if a["state"] in (None, State.SENT))
        since = self.now() - HOUR * 1000
        return held + sum(a["energy"] or 0 for a in mine if a["at"] is not None and a["at"] > since)

    @precondition(lambda self: any(a["state"] is State.SENT for a in self.attempts.values()))
    @rule(data=st.data(), state=st.sampled_from([State.COMPLETE, State.FAILED, State.ABORTED]))
    def settle(self, data, state):
        going = sorted(n for n, a in self.attempts.items() if a["state"] is State.SENT)
        name = data.draw(st.sampled_from(going))
        attempt = self.attempts[name]
        energy = None if state is State.FAILED else data.draw(st.integers(0, attempt["hold"]))
        if self.is_free(attempt) and energy is not None:
            energy = 0
        at = int(self.now())

        async def work():
            return await self.ledger.settle(settled(name, state=state, energy=energy, at=at))

        assert self.run(work()) is True
        attempt["held"].settle(energy or 0, self.clock.monotonic())
        attempt |= {"state": state, "energy": energy, "at": at}

    def is_free(self, attempt):
        """A-119: as the sidecar decides it, and by the model."""
        exchange = SimpleNamespace(
            book=RULES, call=SimpleNamespace(principal=SimpleNamespace(id=attempt["user"]))
        )
        sidecar = SimpleNamespace(ledger=self.ledger)
        found = Settlement._is_bonus(sidecar, exchange, SimpleNamespace(hold=attempt["hold"]))
        free = self.free(attempt["user"])
        rich = free is not None and free + attempt["hold"] > ABOVE
        assert found == (attempt["user"] == "eve" and rich)
        return found

    @precondition(lambda self: any(a["at"] is not None for a in self.attempts.values()))
    @rule(data=st.data(), energy=st.integers(0, 1_000))
    def settle_again(self, data, energy):
        """I4: an attempt ends once, after a crash too."""
        name = data.draw(st.sampled_from(sorted(n for n, a in self.attempts.items() if a["at"])))

        async def work():
            return await self.ledger.settle(settled(name, energy=energy, at=int(self.now())))

        assert self.run(work()) is False

    @rule(seconds=st.floats(1, 4_000))
    def time_goes_on(self, seconds):
        self.clock.advance(seconds)

    @rule(kill=st.booleans())
    def restart(self, kill):
        """A kill leaves the files as they are at that moment."""
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
        for attempt in self.attempts.values():
            if attempt["state"] is State.SENT:
                attempt |= {
                    "state": State.UNSETTLED, "energy": attempt["hold"], "at": int(self.now()),
                }  # fmt: skip
        self.start()

    @invariant()
    def balances_are_the_models(self):
        """I1, I5: what is free is never below 0, and nothing is held when nothing runs."""
        if not hasattr(self, "ledger"):
            return
        for user in self.users:
            assert self.accounts.balance(user) == self.free(user)
            # Without a limit one may spend first, and be limited by a credit later.
            assert not self.users[user]["prepaid"] or self.free(user) >= 0
        if not any(a["state"] is State.SENT for a in self.attempts.values()):
            assert query(self.path, "SELECT coalesce(sum(held), 0) FROM accounts") == [(0,)]

    @invariant()
    def all_that_is_booked_adds_up(self):
        """I1, I2: credits, debits and attempts are the model's, row for row."""
        if not hasattr(self, "ledger"):
            return
        given = query(
            self.path, "SELECT principal, sum(micro) FROM entries WHERE kind = 'credit' GROUP BY 1"
        )
        assert dict(given) == {
            name: sum(user["credits"]) for name, user in self.users.items() if user["credits"]
        }
        rows = query(self.path, "SELECT attempt, principal, key, state, energy, hold FROM attempts")
        assert {row[0]: row[1:] for row in rows} == {
            name: (a["user"], a["key"], a["state"].value, a["energy"], a["hold"])
            for name, a in self.attempts.items()
        }
        debits = query(self.path, "SELECT attempt, micro FROM entries WHERE kind = 'debit'")
        assert sorted(debits) == sorted(
            (name, a["energy"]) for name, a in self.attempts.items() if a["energy"] is not None
        )
        referrals = query(self.path, "SELECT referred, referrer FROM referrals")
        assert dict(referrals) == self.brought

    @invariant()
    def tokens_of_the_latest_session_open(self):
        """E-006: another password and being disabled end all of them."""
        if not hasattr(self, "ledger"):
            return
        for name, user in self.users.items():
            for session in range(user["session"] + 2):
                found = self.directory.session(name, session, expires=None, hashed=None)
                opens = session == user["session"] and not user["disabled"]
                assert (found is not None) == opens

    @invariant()
    def only_valid_secrets_open(self):
        """A-026: each secret that was ever given out, at every moment."""
        if hasattr(self, "ledger"):
            for secret in self.secrets:
                found = self.directory.find(hash_secret(secret))
                assert (None if found is None else found.key) == self.owner_of(secret)

    @invariant()
    def budgets_count_all_that_was_spent(self):
        if hasattr(self, "ledger"):
            for key in self.keys:
                assert self.accounts.spent(key).hour >= self.really_spent(key)

    @invariant()
    def memory_is_what_the_file_says(self):
        """I6."""
        if not hasattr(self, "ledger"):
            return
        store, writer = self.ledger.accounts, self.ledger._writer

        async def everybody():
            return await writer._hop(lambda: read_people(writer._conn))

        people = self.run(everybody())
        assert people.users == {user.id: user for user in store.users()}
        assert people.keys == {key.id: key for key in store.all_keys()}
        assert set(people.keys) == set(self.keys)
        assert all(user.role is Role.USER for user in people.users.values())
        report = audit(self.path)
        assert report.ok, report.differences


AccountMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAccountMachine = AccountMachine.TestCase
