"""Windows over requests, the environment's limits, CORS and proxies in front, as rules.yaml has them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from wattline.rules.compiled.entrance import Cors
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.rules.load import RulesError, load

REST = "\nrules: [{name: all, try: model}]\n"
KEYED = "auth: {mode: keys}\n"


def book(text="", **env):
    return load(text + REST, env=env)


def told(text="", **env):
    with pytest.raises(RulesError) as caught:
        load(text + REST, env=env)
    return str(caught.value)


def test_nothing_is_limited_by_default():
    """A sidecar on loopback has no limits that nobody asked for."""
    found = book()
    assert (found.doors, found.windows, found.trusted_proxies) == ((), (), ())
    assert found.limits.concurrent is None
    assert found.cors is None
    assert book("cors: {origins: []}").cors is None


def test_windows_over_requests_are_apart_from_those_over_calls():
    """D-078, D-079, D-080, E-080, E-081."""
    found = book(
        """
windows:
  everything: {calls: 100, per: 15m, scope: address, over: requests}
  routes: {calls: 50, per: 15m, scope: address, over: inference}
  sockets: {calls: 5, per: 1m, scope: address, over: sockets}
  login: {calls: 10, per: 1m, scope: address, over: auth}
  pages: {calls: 9, per: 1m, scope: principal, over: pages}
  models: {calls: 8, per: 1m, scope: principal}
"""
    )
    assert found.doors == (
        Window("everything", 900.0, 100, scope=Scope.ADDRESS, over=Over.REQUESTS),
        Window("routes", 900.0, 50, scope=Scope.ADDRESS, over=Over.INFERENCE),
        Window("sockets", 60.0, 5, scope=Scope.ADDRESS, over=Over.SOCKETS),
        Window("login", 60.0, 10, scope=Scope.ADDRESS, over=Over.AUTH),
        Window("pages", 60.0, 9, scope=Scope.PRINCIPAL, over=Over.PAGES),
    )
    assert [window.name for window in found.windows] == ["models"]


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ("{calls: 1, per: 1m, over: requests}", "needs `scope: address`"),
        ("{calls: 1, per: 1m, scope: provider, over: auth}", "needs `scope: address`"),
        ("{tokens: 1, per: 1m, scope: address, over: pages}", "has no `tokens`"),
        ("{calls: 1, tokens: 1, per: 1m, scope: address, over: pages}", "has no `tokens`"),
        ("{calls: 1, per: 1m, scope: address, over: all}", "must be one of calls, requests"),
        ("{calls: 1, per: 1m, scope: address, over: [pages]}", "over"),
    ],
)
def test_windows_that_make_no_sense(window, words):
    assert words in told(f"windows: {{w: {window}}}")


def test_a_tier_may_have_a_bound_by_the_hour():
    """E-082: 1000 an hour for those who pay."""
    (window,) = book("tiers: {paid: {rph: 1000}}").tiers["paid"].windows
    assert (window.per, window.calls, window.scope) == (3600.0, 1000, Scope.PRINCIPAL)


def test_the_environments_window_by_address():
    """D-025, D-026."""
    (window,) = book(RATE_LIMIT_WINDOW_MS="60000", RATE_LIMIT_MAX_REQUESTS="7").doors
    assert (window.per, window.calls) == (60.0, 7)
    assert (window.scope, window.over) == (Scope.ADDRESS, Over.REQUESTS)


@pytest.mark.parametrize(
    ("env", "per", "calls"),
    [
        ({"RATE_LIMIT_WINDOW_MS": "1500"}, 1.5, 100),
        ({"RATE_LIMIT_MAX_REQUESTS": " 7 "}, 900.0, 7),
        ({"RATE_LIMIT_WINDOW": "30m"}, 1800.0, 100),
        ({"RATE_LIMIT_MAX": "7"}, 900.0, 7),
    ],
)
def test_half_of_a_pair_has_the_usual_other_half(env, per, calls):
    """D-025, D-026, E-023: 100 in 15 minutes."""
    (window,) = book(**env).doors
    assert (window.per, window.calls) == (per, calls)


def test_the_environments_window_by_caller_beside_the_files():
    """E-023, E-080: all of them count."""
    text = "windows: {w: {calls: 1, per: 1m, scope: address, over: pages}}"
    found = book(text, RATE_LIMIT_WINDOW="15m", RATE_LIMIT_MAX="100", RATE_LIMIT_MAX_REQUESTS="9")
    assert [(w.scope, w.calls) for w in found.doors] == [
        (Scope.ADDRESS, 1),
        (Scope.ADDRESS, 9),
        (Scope.PRINCIPAL, 100),
    ]
    assert len({window.name for window in found.doors}) == 3


def test_limits_of_the_environment_come_first():
    """D-029, D-030: milliseconds."""
    found = book("limits: {concurrent: 5, deadline: 9}", MAX_CONCURRENT_REQUESTS="100")
    assert (found.limits.concurrent, found.limits.deadline) == (100, 9.0)
    found = book("limits: {concurrent: 5, deadline: 9}", REQUEST_TIMEOUT="30000")
    assert (found.limits.concurrent, found.limits.deadline) == (5, 30.0)


NUMBERS = (
    "RATE_LIMIT_WINDOW_MS",
    "RATE_LIMIT_MAX_REQUESTS",
    "RATE_LIMIT_MAX",
    "MAX_CONCURRENT_REQUESTS",
    "REQUEST_TIMEOUT",
    "UPSTREAM_TIMEOUT_MS",
)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "٣", "1e3", "15m", "9" * 20, "0x10"])
def test_numbers_that_are_none(name, value):
    assert told(**{name: value}).startswith(f"{name} in the environment is {value!r}; it must be ")


@pytest.mark.parametrize("value", ["0", "-1s", "x", "900", "m", "15 m", "9" * 20 + "s", "0m"])
def test_periods_that_are_none(value):
    assert "RATE_LIMIT_WINDOW" in told(RATE_LIMIT_WINDOW=value)


PROVIDERS = """
providers:
  usual: {url: https://a.test/v1}
  own: {url: https://b.test/v1, timeouts: {first_byte: 7}}
  rest: {url: https://c.test/v1, timeouts: {idle: 3}}
models:
  m: {provider: usual, timeouts: {connect: 1}}
  n: {provider: own}
"""


@pytest.mark.parametrize(
    ("env", "first_byte", "total"), [({}, 120, 180), ({"UPSTREAM_TIMEOUT_MS": "2500"}, 2.5, 180),
                                     ({"UPSTREAM_TIMEOUT_MS": "600000"}, 600, 600)],
)  # fmt: skip
def test_the_environments_time_for_a_head(env, first_byte, total):
    """B-148, decision 16: 120 s, or the environment's where a provider says nothing of its own."""
    found = book(PROVIDERS, **env)
    times = {name: provider.timeouts for name, provider in found.providers.items()}
    assert (times["usual"].first_byte, times["usual"].total) == (first_byte, total)
    assert (times["own"].first_byte, times["own"].total) == (7, total)
    assert (times["rest"].first_byte, times["rest"].idle) == (first_byte, 3)
    (target,) = found.models["m"]
    assert (target.timeouts.first_byte, target.timeouts.connect) == (first_byte, 1)


def test_an_empty_variable_is_not_set():
    assert book(**dict.fromkeys((*NUMBERS, "RATE_LIMIT_WINDOW"), " ")).doors == ()


def test_the_version_of_the_rules_is_the_same():
    """Another process with other limits has the same rules."""
    assert book().version == book(RATE_LIMIT_MAX="7", REQUEST_TIMEOUT="9").version


def test_pages_of_listed_origins():
    found = book("cors: {origins: ['https://A.test:443', 'http://localhost:3000']}")
    assert found.cors == Cors(frozenset({"https://a.test", "http://localhost:3000"}))
    assert found.cors.allows("https://a.test")
    assert not found.cors.allows("https://b.test")


def test_every_page():
    """A-010."""
    found = book(KEYED + "cors: {origins: ['*'], max_age: 1h}").cors
    assert (found.anybody, found.max_age) == (True, 3600.0)
    assert found.allows("null")


def test_every_page_in_open_mode_is_refused():
    """Any page could spend the operator's money, with no key of its own."""
    assert "let every" not in told("cors: {origins: ['*']}")
    assert "every web page" in told("cors: {origins: ['https://a.test', '*']}")


@pytest.mark.parametrize(
    ("cors", "words"),
    [
        ("{origins: ['*'], credentials: true}", "exclude each other"),
        ("{credentials: true}", "no effect"),
        ("{origins: [null]}", "origins"),
        ("{origins: ['null']}", "origin is like"),
        ("{origins: https://a.test}", "origins"),
        ("{origins: ['${ORIGIN}']}", "not replaced here"),
        ("{origin: ['https://a.test']}", "Did you mean 'origins'"),
    ],
)
def test_cors_that_makes_no_sense(cors, words):
    assert words in told(f"{KEYED}cors: {cors}")


def test_proxies_in_front():
    found = book("listen: {trusted_proxies: [127.0.0.1, 10.0.0.0/8]}")
    assert found.trusted_proxies == (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"))
    assert "every address" in told("listen: {trusted_proxies: [0.0.0.0/0]}")
    assert "trusted_proxies" in told("listen: {trusted_proxies: 127.0.0.1}")


def test_wrong_credentials():
    assert book().auth.wrong_per_minute == 20
    assert book("auth: {wrong_per_minute: 0}").auth.wrong_per_minute == 0
    assert "wrong_per_minute" in told("auth: {wrong_per_minute: -1}")
