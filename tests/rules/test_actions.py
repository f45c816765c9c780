from __future__ import annotations

import time

import pytest

from wattline.rules.book import Book
from wattline.rules.compiled.facts import Fares
from wattline.rules.compiled.rule import Asked, Deny, Listed, Pass, Tiered, Weighted
from wattline.rules.load import RulesError, load
from wattline.wire.call import LOCAL, Call, Operation

PROVIDERS = """
providers:
  a: {url: 'https://a.test', key: '${A}', rpm: 9, models: [{id: fast-a, tier: fast}, {id: plain}]}
  b: {url: 'https://b.test', models: [{id: plain-b}]}
  c: {url: 'https://c.test', enabled: false, models: [{id: large-c, tier: large}]}
  d: {url: '${WATTLINE_DEMO_URL}', demo: true, models: [{id: demo, tier: fast}]}
windows: {caller: {calls: 5, per: 1m, scope: principal}, ip: {calls: 5, per: 1m, scope: address}}
"""


class Calm:
    """Facts of a sidecar with nothing to do."""

    def fill(self, *_: object) -> float:
        return 0.0

    def balance(self, *_: object) -> int | None:
        return None

    def fares(self, *_: object) -> Fares:
        return Fares("healthy")


def call(model: str = "plain", **changes: object) -> Call:
    return Call("r", "openai", Operation.CHAT, "POST", "h", "/v1", model, False, LOCAL, **changes)  # type: ignore[arg-type]  # noqa: FBT003


def book(rules: str, /, **env: str) -> Book:
    return load(f"{PROVIDERS}rules:\n{rules}", env=env)


def first(found: Book, a_call: Call) -> str | None:
    for _, rule in found.candidates(a_call.model):
        if all(one.test(a_call, Calm(), 0.0, 0.0) for one in rule.conditions):
            return rule.name
    return None


def test_each_kind_of_action():
    found = book(
        """
        - {name: asked, when: {model: a}, try: model}
        - {name: listed, when: {model: b}, try: [a/x, b]}
        - {name: tier, when: {model: c}, try: {tier: large}}
        - {name: some, when: {model: d}, try: {tier: fast, providers: [d, b, d]}}
        - {name: mix, when: {model: e}, try: {weighted: {a/x: 3, b/x: 1}}}
        - {name: deny, when: {model: f}, deny: Not here.}
        - {name: gone, when: {model: g}, deny: {message: Gone., status: 410}}
        - {name: pass, when: {forward: true}, pass: true}
        """
    )
    actions = {rule.name: rule.action for rule in found.rules}
    assert actions["asked"] == Asked()
    assert isinstance(actions["listed"], Listed)
    assert [str(target) for target in actions["listed"].targets] == ["a/x", "b/*"]
    assert isinstance(actions["tier"], Tiered)
    assert (actions["tier"].tier, [p.name for p in actions["tier"].providers]) == (
        "large",
        ["a", "c"],
    )
    assert isinstance(actions["some"], Tiered)
    assert [p.name for p in actions["some"].providers] == ["d", "b"]
    assert isinstance(actions["mix"], Weighted)
    assert [(str(t), n) for t, n in actions["mix"].choices] == [("a/x", 3), ("b/x", 1)]
    assert actions["deny"] == Deny("Not here.", 403)
    assert actions["gone"] == Deny("Gone.", 410)
    assert actions["pass"] == Pass()
    assert [rule.line for rule in found.rules] == list(range(10, 18))


def test_what_a_rule_sets():
    found = book(
        "- {name: r, try: model, on: [context_length], set: {defaults: {temperature: 0}, override: {n: 1, user: null}}}"
    )
    rule = found.rules[0]
    assert rule.defaults == {"temperature": 0}
    assert rule.overrides == {"n": 1, "user": None}
    assert rule.on == {"context_length"}


def test_every_condition_is_compiled():
    found = book(
        """
        - name: all
          when: {host: H.test, path: /v1/*, method: POST, operation: [chat, speech], dialect: openai,
            model: [gpt-*, o1], header: {X-Team: red, x-b: "*"}, principal: local, user: u, tier: t, tag: [x],
            stream: false, tools: false, images: true, tokens: {min: 1}, hour: [22-6, 9], weekday: mon,
            timezone: Europe/Berlin, window: {name: caller, over: 0.8}, balance: {above: "1.5"},
            health: {a: healthy, b: resting}, unconfigured: false, forward: true}
          try: [a]
        """
    )
    fields = [condition.field for condition in found.rules[0].conditions]
    assert sorted(fields) == sorted(
        [
            "host",
            "path",
            "method",
            "operation",
            "dialect",
            "model",
            "header",
            "header",
            "principal",
            "user",
            "tier",
            "tag",
            "stream",
            "tools",
            "images",
            "tokens",
            "hour",
            "weekday",
            "window",
            "balance",
            "health",
            "health",
            "unconfigured",
            "forward",
        ]
    )


def test_a_rule_may_ask_for_the_fill_of_a_providers_rpm():
    found = book("- {name: r, when: {window: {name: a, over: 0.5}}, try: [b]}")
    assert found.rules[0].conditions[0].window is found.providers["a"].windows[0]


def test_a_window_by_address_can_not_be_asked():
    with pytest.raises(RulesError, match="'ip' counts by address"):
        book("- {name: r, when: {window: {name: ip, over: 0.5}}, try: [b]}")


def test_unconfigured_means_that_only_the_demo_is_left():
    rules = "- {name: demo, when: {unconfigured: true}, try: [d]}\n- {name: rest, try: model}"
    only_a = load(f"{PROVIDERS.replace('b: {', 'b: {enabled: false, ')}rules:\n{rules}", env={})
    assert not only_a.configured
    assert first(only_a, call()) == "demo"
    with_key = load(
        f"{PROVIDERS.replace('b: {', 'b: {enabled: false, ')}rules:\n{rules}", env={"A": "k"}
    )
    assert with_key.configured
    assert first(with_key, call()) == "rest"


def test_try_model_leaves_unknown_models_to_the_next_rule():
    """A call to a provider's own host also goes on when nothing of ours could serve it."""
    rules = "- {name: by-model, try: model}\n- {name: pass, when: {forward: true}, pass: true}"
    found = book(rules)
    assert found.warnings == ()
    assert first(found, call("plain")) == "by-model"
    assert first(found, call("nobody-knows")) is None
    assert first(found, call("nobody-knows", forward=True)) == "pass"
    assert first(found, call("plain", forward=True)) == "pass"
    assert first(book(rules, A="k"), call("plain", forward=True)) == "by-model"


@pytest.mark.parametrize(
    ("rules", "part"),
    [
        (
            "- {name: one, try: [a]}\n- {name: two, when: {model: x}, try: [a]}",
            "rule 'two' is never reached: 'one' takes every call",
        ),
        (
            "- {name: one, when: {model: x}, deny: no}\n- {name: two, when: {model: x}, try: [a]}",
            "rule 'two' is never reached: 'one' has the same conditions",
        ),
        ("- {name: one, deny: no}\n- {name: two, try: model}", "'one' takes every call"),
        (
            "- {name: one, when: {model: '*', path: ['/x', '**']}, try: [a]}\n- {name: two, try: model}",
            "'one' takes every call",
        ),
        (
            "- {name: one, when: {model: 'm*'}, deny: no}\n- {name: two, when: {model: [m1, m2]}, try: [a]}",
            "rule 'two' is never reached: 'one' takes all of its calls",
        ),
        (
            "- {name: one, when: {forward: true}, pass: true}\n- {name: two, when: {forward: true, hour: 9}, deny: no}",
            "rule 'two' is never reached: 'one' takes all of its calls",
        ),
    ],
)
def test_rules_that_are_never_reached_are_warned_of(rules, part):
    (warning,) = book(rules).warnings
    assert part in warning
    assert warning.startswith("rules.yaml:10:10 rules[1].name: ")


@pytest.mark.parametrize(
    "rules",
    [
        "- {name: one, pass: true}\n- {name: two, try: model}",
        "- {name: one, when: {model: 'm*'}, deny: no}\n- {name: two, when: {model: [m1, x]}, try: [a]}",
        "- {name: one, when: {model: 'm*'}, deny: no}\n- {name: two, when: {model: 'm1*'}, try: [a]}",
        "- {name: one, when: {user: '*'}, deny: no}\n- {name: two, try: [a]}",
        "- {name: one, when: {stream: true}, deny: no}\n- {name: two, when: {tools: true}, try: [a]}",
        "- {name: one, when: {health: {a: out}}, deny: no}\n- {name: two, when: {health: {b: out}}, try: [a]}",
    ],
)
def test_rules_that_may_be_reached_are_not(rules):
    """Patterns are not compared with patterns; a call without a user fits no pattern of users."""
    assert book(rules).warnings == ()


def test_names_of_rules_are_unique():
    with pytest.raises(RulesError, match=r"rules\[1\]\.name: rule 'r' is on line 9 already"):
        book("- {name: r, try: model}\n- {name: r, deny: no}")


@pytest.mark.slow
def test_a_thousand_rules_load_and_decide_quickly():
    rules = "".join(
        f"- {{name: r{i}, when: {{model: 'm{i}-*'}}, try: [a]}}\n" for i in range(1_000)
    )
    found = book(rules)
    assert [rule.name for _, rule in found.candidates("m77-x")] == ["r77"]
    began = time.thread_time()
    for _ in range(1_000):
        assert first(found, call("m77-x")) == "r77"
    assert time.thread_time() - began < 10
