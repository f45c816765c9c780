from __future__ import annotations

import dataclasses
import textwrap
from fractions import Fraction

import pytest

from wattline.base.ids import hash_secret
from wattline.base.origin import AuthStyle
from wattline.rules.book import Book
from wattline.rules.compiled.callers import AccountRules, CallerTier
from wattline.rules.compiled.entrance import Limits, Listen, Tunnel
from wattline.rules.compiled.upkeep import LedgerRules
from wattline.rules.compiled.window import Scope
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.load import RulesError, load

LEAST = "rules: [{name: all, try: model}]\n"
ALICE = "alice-0123456789abcdef"


def book(text: str, /, **env: str) -> Book:
    return load(textwrap.dedent(text), env=env)


def told(text: str, /, **env: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        book(text, **env)
    return str(caught.value).splitlines()


def test_the_least_file_has_the_defaults_of_the_book():
    """Decisions 11, 15, A-160: open, on loopback, port 8088; A-111: a margin of 50 %."""
    found = book(LEAST)
    assert found.listen == Listen("127.0.0.1", 8088)
    assert found.auth.mode == "open"
    assert found.tunnel == Tunnel()
    assert found.limits == Limits()
    assert found.ledger == LedgerRules()
    assert found.log.level is None
    assert found.margin == Fraction(1, 2)
    assert found.default_rate is None
    assert found.warnings == ()
    assert not found.configured


def test_each_section_reaches_the_book():
    text = """
        version: 1
        listen: {host: localhost, port: 0}
        intercept: [API.openai.com., "*.azure.com"]
        tunnel: {policy: listed, hosts: ["*.test", 10.0.0.1], ports: [443]}
        energy: {margin: 0.1, default_rate: "1.20000000000001"}
        limits: {json_bytes: 4096, deadline: 5, grace: 0}
        ledger: {sync: full, down: allow}
        log: {level: error}
        windows: {w: {calls: 3, tokens: 9, per: 15m, scope: address}}
        """
    found = book(textwrap.dedent(text) + LEAST)
    assert found.listen == Listen("localhost", 0)
    assert found.intercept == ("api.openai.com", "*.azure.com")
    assert found.intercepts("x.AZURE.com")
    assert found.tunnel == Tunnel("listed", ("*.test", "10.0.0.1"), (443,))
    assert found.margin == Fraction(1, 10)
    assert found.default_rate == Fraction("1.20000000000001")
    assert found.limits == dataclasses.replace(Limits(), json_bytes=4096, deadline=5, grace=0)
    assert found.ledger == LedgerRules("full", "allow")
    assert found.log.level == "error"
    (window,) = found.windows
    assert (window.calls, window.tokens, window.per, window.scope) == (3, 9, 900, Scope.ADDRESS)


def test_callers_are_known_by_the_hash_of_their_key():
    text = "auth: {mode: keys, keys: {alice: '${A}', bob: {key: '${B|C}', tier: gold}}}\n" + LEAST
    found = book(text, A=ALICE, C="bob-0123456789abcdef")
    assert dict(found.auth.keys) == {
        hash_secret(ALICE): "alice",
        hash_secret("bob-0123456789abcdef"): "bob",
    }
    assert dict(found.auth.tiers) == {"bob": "gold"}
    assert ALICE not in repr(found)


def test_a_listener_for_others_needs_keys():
    """Decision 15: another address than loopback refuses to start in open mode."""
    (line,) = told("listen: {host: 0.0.0.0}\n" + LEAST)
    assert line.startswith("rules.yaml:1:16 listen.host: 0.0.0.0 can be reached by others")
    keyed = "auth: {mode: keys, keys: {a: '${A}'}}\n" + LEAST
    assert book("listen: {host: 0.0.0.0}\n" + keyed, A=ALICE)


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({}, "--host"),
        ({"HOST": "192.168.0.1"}, "HOST"),
        ({"WATTLINE_HOST": "192.168.0.1", "HOST": "10.0.0.1"}, "WATTLINE_HOST"),
        ({"HOST": "10.0.0.1"}, "--host"),
    ],
)
def test_a_listener_that_the_file_did_not_name_is_no_mistake_of_the_file(env, name):
    with pytest.raises(RulesError) as error:
        load(LEAST, env=env, own=("192.168.0.1", 8088))
    assert str(error.value).startswith(f"{name}: 192.168.0.1 can be reached by others")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("auth: {keys: {a: '${A}'}}", "`keys` need `mode: keys`"),
        ("auth: {mode: keys, keys: {a: '${NONE}'}}", "none of these keys is set"),
        ("auth: {mode: keys, keys: {a: '${WEAK}'}}", "WEAK holds a well-known value"),
        ("auth: {mode: keys, keys: {a: '${A}', b: '${A}'}}", "b and a have the same key"),
        ("auth: {mode: keys, keys: {a: sk-secret-literal}}", "auth.keys.a: a secret is never"),
        ("auth: {mode: keys, keys: {a: {key: sk-secret-literal}}}", "auth.keys.a.key: a secret"),
        ("auth: {mode: keys, keys: {a: '${A:-sk-secret-literal}'}}", "a secret has no default"),
    ],
)
def test_auth_that_would_not_protect_is_refused(text, part):
    """Empty and well-known secrets refuse to start (decision 5), literals are never accepted."""
    lines = told(f"{text}\n{LEAST}", A=ALICE, WEAK="changeme")
    assert any(part in line for line in lines), lines
    assert "sk-secret-literal" not in str(lines)
    assert ALICE not in str(lines)


def test_weak_callers_are_warned_of():
    found = book("auth: {mode: keys, keys: {a: '${A}', b: '${B}'}}\n" + LEAST, A="short")
    assert [warning.split(": ", 1)[1] for warning in found.warnings] == [
        "A is shorter than 16 characters",
        "b can't call: B is not set",
    ]


def test_upstreams_that_are_ourselves_are_refused():
    """Decision 20."""
    text = "providers: {x: {url: 'http://localhost:8088/v1'}, y: {url: '${Y}'}}\n" + LEAST
    lines = told(text, Y="http://0x7f.1:8088")
    assert lines[0].startswith("rules.yaml:1:22 providers.x.url: own listener: x would send calls")
    assert "providers.y.url: own listener" in lines[1]
    assert "(from Y)" in lines[1]
    moved = load(text, env={"Y": "http://h.test"}, own=("127.0.0.1", 9000))
    assert moved.listen.port == 9000
    with pytest.raises(RulesError, match="own listener"):
        load(LEAST + "providers: {x: {url: 'http://[::1]:9000'}}", env={}, own=("::1", 9000))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    lines = told(
        """
        providrs: {}
        listen: {port: 70000, hots: a}
        providers:
          groq: {url: "https://h.test", rpm: yes, tiemouts: {}}
          bad: {key: "${K}"}
        models:
          gpt-4o: {provider: grok, rate: 0}
          ok: {provider: groq, chain: [gpt-4o, kk]}
        rules:
          - name: one
            when: {modle: x, hour: 25}
            try: [gpt-4oo]
          - {name: one, deny: no, pass: true}
        """
    )
    assert [line.split(" ", 1)[0] + " " + line.split(" ")[1] for line in lines] == [
        "rules.yaml:2:1 providrs:",
        "rules.yaml:3:16 listen.port:",
        "rules.yaml:3:23 listen.hots:",
        "rules.yaml:5:38 providers.groq.rpm:",
        "rules.yaml:5:43 providers.groq.tiemouts:",
        "rules.yaml:6:3 providers.bad:",
        "rules.yaml:8:22 models.gpt-4o.provider:",
        "rules.yaml:8:34 models.gpt-4o.rate:",
        "rules.yaml:9:40 models.ok.chain[1]:",
        "rules.yaml:12:12 rules[0].when.modle:",
        "rules.yaml:12:28 rules[0].when.hour:",
        "rules.yaml:13:11 rules[0].try[0]:",
        "rules.yaml:14:5 rules[1]:",
    ]


def test_a_reference_to_a_part_with_a_mistake_is_no_second_mistake():
    lines = told(
        """
        providers:
          groq: {url: "https://h.test", dialect: opnai}
          gone: {}
        windows: {w: {per: 1s}}
        models:
          m: {}
          n: {provider: gone, chain: [n, m, gone, gone/x]}
        rules:
          - {name: a, when: {window: {name: w, over: 0.5}, health: {gone: resting}}, try: [m, n]}
          - {name: b, try: {tier: fast, providers: [gone]}}
          - {name: c, try: {chain: m}}
        """
    )
    assert [line.split(":")[1] for line in lines] == ["3", "4", "5", "7"], lines


def test_the_name_of_the_file_is_told():
    with pytest.raises(RulesError, match=r"^/etc/w\.yaml:1:1 the file is empty$"):
        load("", env={}, name="/etc/w.yaml")


@pytest.mark.parametrize("text", ["[]", "text", "12", "- a: 1", "null", "{}"])
def test_what_is_no_rules_file_is_refused(text):
    assert told(text)


def test_a_file_without_rules_is_not_complete():
    """A half-written file must never take the place of a whole one."""
    assert told("version: 1") == ["rules.yaml:1:1 `rules` is missing: is the file complete?"]
    assert told("rules:\n")[0].startswith("rules.yaml:1:1 rules: must be a list, not empty")
    assert told("rules: []")[0].startswith("rules.yaml:1:1 rules: must not be empty")


def test_equal_versions_for_equal_files_and_variables():
    text = (
        "providers: {x: {url: 'https://h.test', key: '${K}'}, d: {url: '${WATTLINE_DEMO_URL}', demo: true}}\n"
        + LEAST
    )
    first = book(text, K="one", OTHER="1")
    assert first.version == book(text, K="one", OTHER="2").version
    assert first.version == book(text, K="one", WATTLINE_DEMO_URL="http://127.0.0.1:5/v1").version
    assert first.version != book(text).version
    assert first.version != book(text, K=" ").version
    assert first.version != book(text + "#", K="one").version
    assert len(first.version) == 12


def test_a_version_tells_nothing_of_a_secret():
    """A weak key could be guessed from a hash: versions are shown to everybody on loopback."""
    text = """
        providers:
          x: {url: "${U}", key: "${K|L}", headers: {x-team: "${H}"}, require: {R: "on"}}
        auth: {mode: keys, keys: {a: "${C}"}}
        rules: [{name: all, try: [x]}]
        """
    env = {"U": "https://h.test", "K": "one", "H": "red", "C": "c" * 16, "R": "on"}
    first = book(text, **env)
    for name in ("K", "H", "C"):
        assert first.version == book(text, **{**env, name: "another-value-0123"}).version, name
    for name in ("K", "H", "R"):
        assert first.version != book(text, **{**env, name: ""}).version, name
    assert first.version != book(text, **{**env, "U": "https://other.test"}).version
    assert first.version != book(text, **{**env, "R": "off"}).version
    only = {name: value for name, value in env.items() if name != "K"}
    assert first.version != book(text, **only, L="one").version


def test_what_the_file_says_of_listen_is_kept_beside_the_address_in_force():
    text = textwrap.dedent("listen: {port: 9000}\n") + LEAST
    found = load(text, env={}, own=("127.0.0.1", 4321))
    assert (found.listen.port, found.written.port) == (4321, 9000)
    assert load(text, env={}).listen == load(text, env={}).written


def test_a_book_can_be_that_of_another_process():
    """Providers and callers as a sidecar with other variables has them; nothing else changes."""
    text = textwrap.dedent("""
        providers:
          here: {url: "https://h.test", key: "${K}"}
          there: {url: "https://t.test", key: "${T}"}
          new: {url: "https://n.test", key: "${N}"}
        models: {m: {provider: there, chain: [m, here/m]}}
        auth: {mode: keys, keys: {alice: "${A}", bob: {key: "${B}", tier: bulk}}}
        rules: [{name: nothing, when: {unconfigured: true}, deny: no}, {name: all, try: model}]
        """)
    there = load(text, env={"T": "0123456789abcdef", "A": "a" * 16, "B": "b" * 16})
    told = Elsewhere.of(there)
    assert "0123456789abcdef" not in repr(told)
    with pytest.raises(RulesError, match="none of these keys is set"):
        load(text, env={"K": "0123456789abcdef"})
    known = dict(told.providers)
    del known["new"]

    found = load(text, env={"K": "0123456789abcdef"}, elsewhere=Elsewhere(known, told.callers))

    assert found.providers["there"].unavailable is None
    assert found.models["m"][0].provider.unavailable is None
    assert "K is not set" in str(found.providers["here"].unavailable)
    assert "N is not set" in str(found.providers["new"].unavailable)
    assert sorted(found.auth.keys.values()) == ["alice", "bob"]
    assert found.auth.tiers == {"bob": "bulk"}
    assert not any("can't call" in warning for warning in found.warnings)


def test_a_loaded_book_can_not_be_changed():
    found = book("providers: {x: {url: 'https://h.test'}}\n" + LEAST)
    for mapping in (found.providers, found.models, found.auth.keys):
        with pytest.raises(TypeError):
            mapping["y"] = None  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.version = "x"  # type: ignore[misc]


def test_secrets_are_in_no_text():
    """T15: not in repr, str or errors, of neither the book nor its problems."""
    secret = "sk-very-secret-0123456789"
    text = """
        providers:
          a: {url: "https://h.test", key: "${K}", auth: x-api-key, headers: {x-a: "${H:-}"}}
          b: {url: "${U}"}
        auth: {mode: keys, keys: {a: "${K}"}}
        rules: [{name: all, try: [a]}]
        """
    found = book(text, K=secret, U="https://h.test")
    provider = found.providers["a"]
    assert provider.credential is not None
    assert provider.credential.header() == ("x-api-key", secret)
    assert provider.auth is AuthStyle.X_API_KEY
    shown = (
        repr(found) + str(found) + repr(provider) + repr(provider.credential) + repr(found.rules)
    )
    assert secret not in shown
    for url in (
        f"https://u:{secret}@h.test",
        f"https://h.test?k={secret}",
        f"{secret}",
        f"http://{secret}@localhost:8088",
    ):
        lines = told(text, K=secret, U=url)
        assert "providers.b.url" in lines[0]
        assert "(from U)" in lines[0]
        assert secret not in str(lines)


@pytest.mark.parametrize(
    "misplaced",
    [
        "providers: {a: {url: 'https://h.test', key: SECRET}}",
        "providers: {a: {url: 'https://h.test', key: [SECRET]}}",
        "providers: {a: {url: 'https://h.test', auth: SECRET}}",
        "providers: {a: {url: 'https://SECRET@h.test'}}",
        "providers: {a: {url: 'https://h.test', rpm: SECRET}}",
        "providers: {a: {url: 'https://h.test', rate: SECRET}}",
        "providers: {a: {url: 'https://h.test', headers: {authorization: SECRET}}}",
        "providers: {a: {url: 'https://h.test', either: [SECRET]}}",
        "providers: {a: {url: 'https://h.test', dialect: SECRET}}",
        "providers: {a: SECRET}",
        "auth: {mode: SECRET}",
        "auth: SECRET",
        "listen: {host: 'SECRET@x', port: SECRET}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(misplaced):
    secret = "sk-live-0123456789abcdef"
    lines = told(misplaced.replace("SECRET", secret) + "\n" + LEAST)
    assert secret not in str(lines)


@pytest.mark.parametrize(
    "text",
    [
        "providers: {p: {url: 'https://h.test', models: [{id: '${A}'}]}}\n" + LEAST,
        "rules: [{name: a, when: {model: '${A}'}, try: model}]",
        "rules: [{name: a, when: {header: {x: '${A}'}}, try: model}]",
        "rules: [{name: a, deny: 'no ${A}'}]",
        "providers: {p: {url: 'https://h.test', defaults: {a: [{b: '${A}'}]}}}\n" + LEAST,
        "listen: {host: '${HOST}'}\n" + LEAST,
        "intercept: ['${HOST}']\n" + LEAST,
    ],
)
def test_a_reference_where_it_would_not_be_replaced_is_refused(text):
    assert "is not replaced here" in told(text)[0]


def test_tiers_and_accounts():
    """B-061, A-119, A-120: bounds of a tier are windows over its callers."""
    found = book(
        "tiers: {free: {rps: 2, rpm: 20, tpm: 900, rpd: 500}, bulk: {min_score: 0.5}}\n"
        "accounts: {start_balance: 0.5, bonus_user: '666', bonus_above: 7}\n" + LEAST
    )
    assert found.tiers["bulk"] == CallerTier((), Fraction(1, 2))
    assert [(w.per, w.calls, w.tokens, w.scope) for w in found.windows_over("free")] == [
        (1.0, 2, None, Scope.PRINCIPAL),
        (60.0, 20, 900, Scope.PRINCIPAL),
        (86_400.0, 500, None, Scope.PRINCIPAL),
    ]
    assert found.windows_over(None) == found.windows_over("none") == ()
    assert found.accounts == AccountRules(500_000, "666", 7_000_000)
    assert book(LEAST).accounts == AccountRules()
    assert book("accounts: {start_balance: null}\n" + LEAST).accounts.start_balance is None


@pytest.mark.parametrize(
    "text",
    ["tiers: {free: {rps: 0}}", "tiers: {'a b': {}}", "tiers: {x: {rpw: 5}}", "tiers: [free]",
     "accounts: {start_balance: -1}", "accounts: {bonus_user: 666}"],
)  # fmt: skip
def test_wrong_tiers_and_accounts(text):
    assert told(f"{text}\n{LEAST}")


def test_a_caller_may_be_an_admin():
    """B-063."""
    text = "auth: {mode: keys, keys: {a: {key: '${A}', role: admin}, b: '${B}'}}\n" + LEAST
    found = book(text, A=ALICE, B="bob-0123456789abcdef")
    assert found.auth.admins == {"a"}
    assert book("auth: {mode: keys}\n" + LEAST).auth.keys == {}
