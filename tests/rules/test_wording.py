from __future__ import annotations

import pytest

from wattline.rules.load import RulesError, load
from wattline.rules.schema import RulesShape
from wattline.rules.wording import keys_at

HOST = "https://h.test"


def message(text: str) -> str:
    with pytest.raises(RulesError) as caught:
        load(text if "rules:" in text else f"{text}\nrules: [{{name: all, try: model}}]", env={})
    (problem,) = caught.value.problems
    return f"{problem.path}: {problem.message}"


def provider(part: str) -> str:
    return message(f"providers: {{p: {{url: '{HOST}', {part}}}}}").removeprefix("providers.p.")


def when(part: str) -> str:
    return message(f"rules: [{{name: a, when: {{{part}}}, try: model}}]").removeprefix(
        "rules[0].when."
    )


def trying(part: str) -> str:
    return message(
        f"providers: {{p: {{url: '{HOST}'}}}}\nrules: [{{name: a, try: {part}}}]"
    ).removeprefix("rules[0].")


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO"])
def test_norways_words_are_no_booleans_and_the_right_one_is_told(word):
    right = "true" if word.lower() in {"yes", "on"} else "false"
    assert (
        provider(f"enabled: {word}") == f"enabled: must be true or false, not text: write {right}"
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("rpm: 010", "rpm: must be a whole number, not text: write plain digits"),
        ("rpm: 0x10", "rpm: must be a whole number, not text: write plain digits"),
        ("rpm: '30'", "rpm: must be a whole number, not text: write plain digits"),
        ("rpm: 30.5", "rpm: must be a whole number"),
        ("rpm: true", "rpm: must be a whole number, not true or false"),
        ("rpm: 0", "rpm: must be at least 1"),
        ("rpm: -1", "rpm: must be at least 1"),
        ("enabled: 1", "enabled: must be true or false, not a number"),
        ("timeouts: {idle: 0}", "timeouts.idle: must be greater than 0"),
        ("timeouts: {idle: .inf}", "timeouts.idle: must be a number, not text"),
        (
            "timeouts: {idle: 1e999}",
            "timeouts.idle: must be a number, not text: write plain digits",
        ),
        ("timeouts: {idle: 1e9}", "timeouts.idle: must be at most 86400"),
        ("timeouts: 5", "timeouts: must be a mapping (`name: value` lines), not a number"),
        ("timeouts: {totle: 5}", "timeouts.totle: unknown key 'totle'. Did you mean 'total'?"),
        ("retries: 9", "retries: must be at most 5"),
        (
            "auth: barer",
            "auth: must be one of bearer, x-api-key, x-goog-api-key, none. Did you mean 'bearer'?",
        ),
        ("auth: bearer", "p: `auth: bearer` needs `key`"),
        ("key: '${K}', auth: none", "p: `auth: none` and a `key` exclude each other"),
        (
            "dialect: opnai",
            "dialect: must be one of openai, anthropic, gemini, ollama, generate. Did you mean 'openai'?",
        ),
        (
            "models: [{id: m, tier: larg}]",
            "models[0].tier: must be one of fast, medium, large, reasoning. Did you mean 'large'?",
        ),
        ("models: [{tier: fast}]", "models[0]: `id` is missing"),
        ("models: [{id: m}, {id: m}]", "models[1].id: 'm' is listed twice"),
        (
            "models: [{id: a b}]",
            "models[0].id: a name has letters, digits and @._:+/- only, and at most 128 of them",
        ),
        ("models: {m: 1}", "models: must be a list, not a mapping"),
        ("models:", "models: must be a list, not empty"),
        ("rate: 0", "rate: must be greater than 0"),
        ("rate: -1", "rate: must be a positive number such as 1.2, without sign or exponent"),
        ("rate: fast", "rate: must be a positive number such as 1.2, without sign or exponent"),
        ("rate: true", "rate: must be a number"),
        (
            "headers: {Authorization: x}",
            "headers.Authorization: authorization carries a credential: use `key` and `auth`",
        ),
        (
            "headers: {X-Api-Key: x}",
            "headers.X-Api-Key: x-api-key carries a credential: use `key` and `auth`",
        ),
        ("headers: {host: x}", "headers.host: host is set by wattline itself"),
        ("headers: {'a b': x}", "headers.a b: not a header name"),
        ('headers: {x: "a\\r\\nb: c"}', "headers.x: control characters are not allowed here"),
        ("headers: {x: 1}", "headers.x: must be text, which may hold ${NAME} references"),
        (
            "headers: {x: '${A'}",
            "headers.x: a reference that can't be read: write ${NAME}, ${NAME|OTHER} or ${NAME:-text}",
        ),
        ("defaults: {model: x}", "defaults: 'model' is managed by wattline and can't be set here"),
        ("defaults: {}", "defaults: must not be empty"),
        ("require: {A-B: x}", "require.A-B: not the name of an environment variable"),
        ("require: {AB: true}", "require.AB: must be text, not true or false: quote it"),
        ("window: wndow", "window: unknown window 'wndow'"),
        ("either: []", "either: must not be empty"),
        (
            "either: [{url: 'https://h.test'}]",
            "p: `either` takes the place of `url`, `key` and `auth`: use one of the two",
        ),
        ("kye: x", "kye: unknown key 'kye'. Did you mean 'key'?"),
    ],
)
def test_mistakes_in_a_provider(part, expected):
    assert provider(part).removeprefix("providers.") == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("modle: x", "modle: unknown key 'modle'. Did you mean 'model'?"),
        ("model: []", "model: must not be empty"),
        ("model: ''", "model: must not be empty"),
        ("model: 4", "model: must be text, not a number: quote it"),
        ("model: [a, 4]", "model[1]: must be text, not a number: quote it"),
        (
            "operation: chats",
            "operation: must be one of chat, completion, responses, embeddings, moderations, images, speech, transcription, realtime, count_tokens, videos, interactions, rerank. Did you mean 'chat'?",
        ),
        (
            "weekday: [mon, tues]",
            "weekday[1]: must be one of mon, tue, wed, thu, fri, sat, sun. Did you mean 'tue'?",
        ),
        ("hour: 24", "hour: must be an hour from 0 to 23, or a range such as 9-17 or 22-6"),
        ("hour: 9-9", "hour: this range is empty: write 0-24 for the whole day"),
        ("hour: 9-25", "hour: must be an hour from 0 to 23, or a range such as 9-17 or 22-6"),
        ("hour: 12:30", "hour: must be an hour from 0 to 23, or a range such as 9-17 or 22-6"),
        (
            "hour: [1, true]",
            "hour[1]: must be an hour from 0 to 23, or a range such as 9-17 or 22-6",
        ),
        ("timezone: UTC", "when: `timezone` has no effect without `hour` or `weekday`"),
        (
            "hour: 1, timezone: Europe/Berln",
            "timezone: unknown timezone 'Europe/Berln'. Did you mean 'Europe/Berlin'?",
        ),
        ("hour: 1, timezone: ../../etc/passwd", "timezone: unknown timezone '../../etc/passwd'"),
        ("tokens: {}", "tokens: `min` or `max` is missing"),
        ("tokens: {min: 5, max: 4}", "tokens: `min` is greater than `max`: this can never hold"),
        ("window: {name: w, over: 0.5}", "window.name: unknown window 'w'"),
        ("window: {name: w, over: 80}", "window.over: must be at most 1"),
        ("balance: {}", "balance: one of `below` and `above` is needed"),
        (
            "balance: {below: 1.1234567}",
            "balance.below: energy has at most 6 digits after the point",
        ),
        (
            "health: {groq: restng}",
            "health.groq: must be one of healthy, resting, out. Did you mean 'resting'?",
        ),
        ("health: {groq: resting}", "health.groq: unknown provider 'groq'"),
        (
            "header: {Authorization: x}",
            "header.Authorization: authorization is a credential: ask `principal`",
        ),
        ("stream: yes", "stream: must be true or false, not text: write true"),
        ("forward: maybe", "forward: must be true or false, not text"),
    ],
)
def test_mistakes_in_a_condition(part, expected):
    assert when(part).removeprefix("rules[0].") == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("modle", "try: must be model. Did you mean 'model'?"),
        ("5", "try: must be `model`, a list of targets, or a mapping"),
        ("[]", "try: must not be empty"),
        ("[[a]]", "try[0]: must be text, not a list"),
        ("{}", "try: exactly one of `chain`, `tier` and `weighted` is needed"),
        ("{tier: fast, chain: p}", "try: exactly one of `chain`, `tier` and `weighted` is needed"),
        (
            "{tier: fsat}",
            "try.tier: must be one of fast, medium, large, reasoning. Did you mean 'fast'?",
        ),
        ("{teir: fast, tier: fast}", "try.teir: unknown key 'teir'. Did you mean 'tier'?"),
        (
            "{tier: fast, providers: [pp]}",
            "try.providers[0]: unknown provider 'pp'. Did you mean 'p'?",
        ),
        (
            "{tier: fast, providers: [p]}",
            "try.providers[0]: provider 'p' lists no models to choose from",
        ),
        ("{chain: p}", "try.chain: unknown model 'p'"),
        ("{weighted: {p: 0}}", "try.weighted.p: must be at least 1"),
        (
            "{weighted: {p: 1, pp/x: 2}}",
            "try.weighted.pp/x: provider 'pp' is not in `providers`, and no model has this whole name. Did you mean 'p'?",
        ),
        ("{weighted: {}}", "try.weighted: must not be empty"),
        ("{tier: fast}, deny: no", "exactly one of `try`, `deny` and `pass` is needed"),
        ("model, on: [context]", "on[0]: must be context_length. Did you mean 'context_length'?"),
        (
            "model, set: {override: {stream: true}}",
            "set.override: 'stream' is managed by wattline and can't be set here",
        ),
        ("model, set: {}", "set: `defaults` or `override` is missing"),
    ],
)
def test_mistakes_in_an_action(part, expected):
    assert trying(part).removeprefix("rules[0]: ") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: [{name: a}]", "rules[0]: exactly one of `try`, `deny` and `pass` is needed"),
        ("rules: [{name: a, pass: false}]", "rules[0].pass: must be true"),
        (
            "rules: [{name: a, pass: true, on: [context_length]}]",
            "rules[0]: `on` has no effect without `try`",
        ),
        (
            "rules: [{name: a, deny: no, set: {defaults: {a: 1}}}]",
            "rules[0]: `set` has no effect without `try`",
        ),
        (
            "rules: [{name: a, deny: {message: x, status: 200}}]",
            "rules[0].deny.status: must be at least 400",
        ),
        (
            "rules: [{name: a b, try: model}]",
            "rules[0].name: a name here has letters, digits and ._- only, and at most 64 of them",
        ),
        ("rules: {a: 1}", "rules: must be a list, not a mapping"),
        ("version: 2", "version: must be 1"),
        ("version: '1'", "version: must be 1"),
        ("windows: {w: {per: 1s}}", "windows.w: a window needs `calls` or `tokens`"),
        (
            "windows: {w: {calls: 1, per: 15x}}",
            "windows.w.per: must be seconds, or a number with s, m, h or d such as 15m",
        ),
        (
            "windows: {w: {calls: 1, per: 0}}",
            "windows.w.per: must be more than 0 and at most 366 days",
        ),
        (
            "windows: {w: {calls: 1, per: 1m, scope: adress}}",
            "windows.w.scope: must be one of provider, principal, address, global. Did you mean 'address'?",
        ),
        (
            "windows: {'a b': {calls: 1, per: 1m}}",
            "windows.a b: a name here has letters, digits and ._- only, and at most 64 of them",
        ),
        ("models: {m: {}}", "models.m: `provider` is missing (or a `chain` of other targets)"),
        ("models: {m: {chain: [m], rate: 1}}", "models.m: `rate` has no effect without `provider`"),
        ("models: {m: {provider: p}}", "models.m.provider: unknown provider 'p'"),
        (
            "intercept: ['*']",
            "intercept[0]: the host is not a host name (write names with other letters as xn--…)",
        ),
        (
            "intercept: ['a/b']",
            "intercept[0]: the host is not a host name (write names with other letters as xn--…)",
        ),
        (
            "tunnel: {hosts: [a.test], policy: none}",
            "tunnel: `hosts` has no effect with `policy: none`",
        ),
        ("tunnel: {policy: listed}", "tunnel: `policy: listed` needs `hosts`"),
        (
            "log: {level: warn}",
            "log.level: must be one of debug, info, warning, error. Did you mean 'warning'?",
        ),
        (
            "energy: {margin: -0.1}",
            "energy.margin: must be a positive number such as 1.2, without sign or exponent",
        ),
        (
            "limits: {json_byts: 1}",
            "limits.json_byts: unknown key 'json_byts'. Did you mean 'json_bytes'?",
        ),
        ("cash: {}", "cash: unknown key 'cash'"),
    ],
)
def test_mistakes_elsewhere(text, expected):
    assert message(text).startswith(expected)


def test_known_keys_are_found_through_unions_lists_and_mappings():
    assert "url" in keys_at(RulesShape, ("providers", "x", "either", 0))
    assert keys_at(RulesShape, ("rules", 3, "try", "mapping")) == {
        "chain",
        "tier",
        "providers",
        "weighted",
    }
    assert "try" in keys_at(RulesShape, ("rules", 0))
    assert keys_at(RulesShape, ("auth", "keys", "a")) == {"key", "role", "tier"}
