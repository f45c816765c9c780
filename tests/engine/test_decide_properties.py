"""Decisions in random worlds: rules, chains, weights, orders, keys, rests, windows, failures, switches, callers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.decisions import a_book, a_call, a_provider, a_target, flag_is, text_is
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.dialects.crossing import crosses
from wattline.engine.affinity import Affinity
from wattline.engine.decide import decide, holds
from wattline.engine.explain import as_json, explain, render
from wattline.engine.features import features
from wattline.engine.health import Health
from wattline.engine.parking import Parked, Parking
from wattline.engine.past_call import read_features, skipped_of
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.book import Book
from wattline.rules.compiled.callers import CallerTier
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.provider import Provider, account_name
from wattline.rules.compiled.rule import Asked, Deny, Listed, Pass, Rule, Tiered, Weighted
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.rules.compiled.upkeep import AffinityRules, HealthRules
from wattline.rules.compiled.window import Window
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import TokensWithin
from wattline.rules.conditions.health import Bound, HealthIs
from wattline.rules.conditions.moment import HourWithin
from wattline.store.rows import _json as written
from wattline.wire.call import Call, Principal

NAMES = ("a", "b", "c", "d")
MODELS = ("m", "n", "o")
ORDERS = ("given", "fastest", "cheapest", "least_energy", "score")
CODES = ("http_500", "http_503", "connect_timeout", "cut", "http_429", "internal_error")


@dataclass(frozen=True)
class World:
    """A book and all that a decision looks at."""

    book: Book
    view: View
    windows: Windows
    resting: Resting
    parking: Parking
    health: Health
    now: float


def secret_of(name: str, key: int) -> str:
    return f"sk-of-{name}-{key}-0123456789"


@st.composite
def providers(draw: st.DrawFn, name: str) -> Provider:
    origin = Origin("https", f"{name}.test", 443)
    count = draw(st.sampled_from([2, 1, 3, 0]))
    listed = draw(st.lists(st.sampled_from(MODELS), unique=True, max_size=2))
    limits = draw(
        st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(1, 60)), max_size=2)
    )
    windows = tuple(
        Window(f"{name}{index}" if index else name, 60.0 * (1 + index), calls, tokens)
        for index, (calls, tokens) in enumerate(limits)
    )
    found = a_provider(
        name,
        origin=origin,
        dialect=draw(st.sampled_from(["openai", "openai", "openai", "anthropic"])),
        auth=AuthStyle.BEARER if count else AuthStyle.NONE,
        credential=None,
        windows=windows,
        models=[(model, draw(st.sampled_from(["fast", "large", None]))) for model in listed],
        unavailable=draw(st.sampled_from([None, None, None, None, None, "off"])),
        spread=draw(st.booleans()),
        demo=draw(st.sampled_from([False, False, False, True])),
    )
    return with_keys(found, count)


def with_keys(provider: Provider, count: int) -> Provider:
    """As the rules compile them: each key an account with its own windows."""
    keyed = tuple(
        replace(
            provider,
            credential=Credential(provider.origin, provider.auth, secret_of(provider.name, key)),
            key=key if count > 1 else 0,
            windows=tuple(
                replace(w, name=f"{w.name} key {key}" if key > 1 else w.name)
                for w in provider.windows
            ),
        )
        for key in range(1, count + 1)
    )
    if not keyed:
        return provider
    return replace(keyed[0], keys=keyed) if count > 1 else keyed[0]


@st.composite
def conditions(draw: st.DrawFn, found: dict[str, Provider]):
    provider = draw(st.sampled_from(list(found.values())))
    windows = [w for one in provider.each for w in one.windows]
    subject = Subject(
        provider.name,
        tuple(one.account for one in provider.each),
        draw(st.sampled_from(["", "m"])),
    )
    figure = draw(st.sampled_from(["score", "errors", "first_ms"]))
    bound = Bound(figure, draw(st.sampled_from([0.1, 0.5, 900.0])), draw(st.booleans()))
    choices = [
        text_is("model", draw(st.sampled_from(["m", "*", "n*"]))),
        flag_is("stream", wanted=draw(st.booleans())),
        TokensWithin(None, draw(st.integers(0, 60))),
        BalanceIs(draw(st.integers(0, 100)), None),
        HealthIs(subject, frozenset(draw(st.sets(st.sampled_from(["healthy", "resting", "out"]))))),
        HealthIs(subject, bounds=(bound,)),
        HourWithin(((22, 6),), UTC),
    ]
    if windows:
        over = draw(st.sampled_from([0.0, 0.5, 0.9]))
        choices.append(FilledOver(windows[0], over, tuple(windows[1:])))
    return draw(st.sampled_from(choices))


@st.composite
def rules(draw: st.DrawFn, number: int, found: dict[str, Provider]) -> Rule:
    everyone = st.sampled_from(list(found.values()))
    rates = st.none() | st.integers(1, 9).map(Fraction)
    targets = st.builds(a_target, everyone, st.sampled_from([*MODELS, AS_ASKED]), rate=rates)
    weighted = st.lists(st.tuples(targets, st.integers(1, 9)), max_size=4).map(tuple)
    action = draw(
        st.one_of(
            st.just(Asked()),
            st.just(Asked()),
            st.sampled_from([Pass(), Deny("no")]),
            st.builds(Listed, st.lists(targets, max_size=5).map(tuple)),
            st.builds(Listed, st.lists(targets, max_size=5).map(tuple)),
            st.builds(Weighted, weighted),
            st.builds(
                Tiered,
                st.sampled_from(["fast", "large"]),
                st.lists(everyone, max_size=4).map(tuple),
            ),
        )
    )
    order = "given" if isinstance(action, Weighted) else draw(st.sampled_from(ORDERS))
    asked = tuple(draw(st.lists(conditions(found), max_size=1)))
    affinity = draw(st.sampled_from([None, True, False]))
    return Rule(f"r{number}", asked, action, order=order, affinity=affinity)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    found = {name: draw(providers(name)) for name in NAMES[: draw(st.integers(1, 4))]}
    everyone = st.sampled_from(list(found.values()))
    targets = st.builds(a_target, everyone, st.sampled_from(MODELS))
    listed = st.builds(Listed, st.lists(targets, min_size=1, max_size=4).map(tuple))
    book = a_book(
        *(draw(rules(number, found)) for number in range(draw(st.integers(0, 2)))),
        *draw(st.lists(st.builds(Rule, st.just("last"), st.just(()), listed), max_size=1)),
        providers=tuple(found.values()),
        models=draw(
            st.dictionaries(
                st.sampled_from(MODELS), st.lists(targets, min_size=1, max_size=4).map(tuple)
            )
        ),
        health=HealthRules(
            breaker=draw(st.sampled_from([True, True, False])),
            failures=draw(st.integers(1, 3)),
            cooldown=draw(st.sampled_from([10.0, 900.0])),
            longest=900.0,
            disable_after=draw(st.none() | st.integers(1, 2)),
        ),
        tiers={"gold": CallerTier(min_score=Fraction(1, 2))},
        affinity=AffinityRules(enabled=draw(st.booleans())),
    )
    now = draw(st.floats(0, 200))
    windows, resting, health = Windows(), Resting(), Health(book.health)
    accounts = [one.account for provider in found.values() for one in provider.each]
    accounts += [f"{name} of ann" for name in found]
    for account in draw(st.lists(st.sampled_from(accounts), max_size=4)):
        resting.rest(account, draw(st.floats(0, 400)), "x", limited=draw(st.booleans()))
    every = [w for p in found.values() for one in p.each for w in one.windows]
    for window in draw(st.lists(st.sampled_from(every), max_size=6)) if every else ():
        key = account_name(window.name, draw(st.sampled_from([None, None, "ann"])))
        windows.take([Claim(window, key, 1, draw(st.integers(0, 30)))], draw(st.floats(0, now)))
    history(draw, health, found, now)
    parking = Parking()
    for name in draw(st.lists(st.sampled_from(list(found)), max_size=1)):
        parking.put((name, draw(st.sampled_from(["", "m"]))), Parked(0, "ann", "x"))
    prices = draw(st.dictionaries(st.sampled_from(MODELS), st.floats(0, 1)))
    balance = draw(st.none() | st.integers(-10, 200))
    affinity = Affinity()
    call = a_call("m", conversation="talk")
    affinity.stick(call, (draw(st.sampled_from(NAMES)), draw(st.sampled_from(MODELS))), now)
    view = View(
        windows,
        resting,
        lambda _: balance,
        parking,
        health,
        lambda target, _: prices.get(target.model),
        affinity,
    )
    return World(book, view, windows, resting, parking, health, now)


def history(draw: st.DrawFn, health: Health, found: dict[str, Provider], now: float) -> None:
    """What happened to targets until now."""
    at = max(now - 40.0, 0.0)
    for name, model, good, code, times in draw(
        st.lists(
            st.tuples(
                st.sampled_from(list(found)),
                st.sampled_from(MODELS),
                st.sampled_from([False, False, True]),
                st.sampled_from(CODES),
                st.integers(1, 6),
            ),
            max_size=8,
        )
    ):
        at = min(at + 9.0, now)
        for _ in range(times):
            if good:
                health.good((name, model), at, 40.0 * times, 100.0)
            else:
                health.bad((name, model), code, at)


CALLERS = st.sampled_from(["local", "gold", "ann"])


@st.composite
def calls(draw: st.DrawFn, world: World) -> Call:
    who = draw(CALLERS)
    caller = Principal(who, tier="gold" if who == "gold" else None)
    if who == "ann":
        owned = draw(st.sets(st.sampled_from(list(world.book.providers)), min_size=1))
        places = {(name, world.book.providers[name].origin) for name in owned}
        caller = Principal("ann", user="ann", providers=frozenset(places))
    return a_call(
        draw(st.sampled_from([*MODELS, "a/m", "d/z", "unknown", ""])),
        dialect=draw(st.sampled_from(["openai", "openai", "anthropic"])),
        stream=draw(st.booleans()),
        forward=draw(st.booleans()),
        tokens=draw(st.integers(0, 70)),
        principal=caller,
        conversation=draw(st.sampled_from([None, None, "talk"])),
    )


@settings(max_examples=250, deadline=None)
@given(st.data(), st.floats(0, 1, exclude_max=True))
def test_every_decision_is_sound(data: st.DataObject, drawn: float):
    """T7, T8, C-081, B-082: total, the same each time, and each target could really be asked now."""
    world = data.draw(worlds())
    call = data.draw(calls(world))
    plan = decide(call, world.book, world.view, world.now, 0.0, drawn)
    assert plan == decide(call, world.book, world.view, world.now, 0.0, drawn)
    assert sum([bool(plan.targets), plan.deny is not None, plan.passed]) <= 1
    if not plan.targets and plan.deny is None and not plan.passed:
        named = isinstance(_action(plan, world.book), Listed | Weighted | Tiered)
        assert plan.skipped or plan.reasons or named  # a rule may name nobody
    labels = Counter(target.label for target in plan.targets)
    assert set(labels.values()) <= {1}
    for target in plan.targets:
        check_target(target, plan, call, world)
    check_skipped(plan, world)
    _decided_by_the_first(plan, call, world)


def _action(plan: Plan, book: Book) -> object:
    return None if plan.position is None else book.rules[plan.position].action


def check_target(target: Target, plan: Plan, call: Call, world: World) -> None:
    """It can be asked now, with a key that is for its origin only."""
    provider, book = target.provider, world.book
    declared = book.providers[provider.name]
    owned = declared.owned_by(call.principal)
    owner = call.principal.id if owned else None
    assert declared.unavailable is None or owned
    assert target.model != AS_ASKED
    assert crosses(call.operation, call.dialect, provider.dialect)
    assert world.parking.of(provider.name, target.model) is None
    if provider.credential is not None:
        assert provider.credential.origin == provider.origin == declared.origin
        assert provider.credential.secret.startswith(f"sk-of-{provider.name}-")
    assert owned or not provider.keys  # one key is chosen
    account = provider.account_of(owner)
    assert world.resting.resting(account, world.now) is None
    claims = [Claim(w, account_name(w.name, owner), 1, call.tokens) for w in provider.windows]
    taken = world.windows.take(claims, world.now)
    assert not isinstance(taken, Refusal)
    world.windows.release(taken, world.now)
    placed = replace(target, owner=owner)
    assert world.health.admits(placed.place, world.now) is not plan.panic


def check_skipped(plan: Plan, world: World) -> None:
    """What is left out has a reason, and is not tried all the same."""
    tried = {str(target) for target in plan.targets}
    for skip in plan.skipped:
        assert skip.reason
        assert skip.target not in tried
        assert skip.retry_after is None or skip.retry_after >= 0
    for target, skip in plan.keys_out:
        assert target.label not in {other.label for other in plan.targets}
        assert skip.code in {"resting", "window_full"}
        assert target.provider.key in [
            one.key for one in world.book.providers[target.provider.name].keys
        ]


def _decided_by_the_first(plan: Plan, call: Call, world: World) -> None:
    """The rule's conditions hold; explain says the same, and nothing secret."""
    if plan.position is not None:
        rule = world.book.rules[plan.position]
        assert rule.name == plan.rule
        assert holds(rule, call, world.view, world.now, 0.0)
    draw = 0.0 if plan.draw is None else plan.draw
    found = explain(call, world.book, world.view, world.now, 0.0, draw)
    assert [t.label for t in found.plan.targets] == [t.label for t in plan.targets]
    shown = render(found) + str(as_json(found)) + repr(found)
    assert "0123456789" not in shown
    kept = read_features(written(features(call, plan, whole=True)))
    assert (kept.plan or []) == list(dict.fromkeys(str(t) for t in plan.targets))[:16]
    assert not set(skipped_of(kept)) & set(kept.plan or [])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_window_ever_counts_more_than_its_limit(data: st.DataObject):
    """C-080, C-081: calls as they come, each taking the slots of the first target that it may have."""
    world = data.draw(worlds())
    took: list[tuple[Window, str, float, int]] = []
    now = world.now
    for _ in range(data.draw(st.integers(1, 25))):
        now += data.draw(st.sampled_from([0.0, 0.0, 1.0, 20.0, 61.0]))
        call = data.draw(calls(world))
        plan = decide(call, world.book, world.view, now, 0.0, data.draw(st.floats(0, 0.99)))
        for target in plan.targets[:1]:
            provider = world.book.providers[target.provider.name]
            owner = call.principal.id if provider.owned_by(call.principal) else None
            claims = [
                Claim(w, account_name(w.name, owner), 1, call.tokens)
                for w in target.provider.windows
            ]
            assert not isinstance(world.windows.take(claims, now), Refusal)
            took += [(c.window, c.key, now, call.tokens) for c in claims]
        for window, key, at, _ in took:
            inside = [t for w, k, a, t in took if (w, k) == (window, key) and at - w.per < a <= at]
            assert window.calls is None or len(inside) <= window.calls
            assert window.tokens is None or sum(inside) <= window.tokens
