"""The rules.yaml that ships."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.rules.book import Book
from wattline.rules.compiled.callers import AccountRules
from wattline.rules.compiled.entrance import Cors
from wattline.rules.compiled.facts import Fares
from wattline.rules.compiled.provider import TIERS, Provider, ProviderModel
from wattline.rules.compiled.rule import Tiered
from wattline.rules.compiled.window import Over, Scope
from wattline.rules.load import RulesError, load
from wattline.wire.call import LOCAL, Call, Operation

FILE = Path(__file__).parents[2] / "rules.yaml"
TEXT = FILE.read_text(encoding="utf-8")

GATEWAY = ("openai", "goapi", "opensource", "aiguoguo", "deepseek", "openrouter")
CLAUDE = (
    "claude-opus-4-1:reasoning:200000",
    "claude-sonnet-4-6:large:200000",
    "claude-haiku-3:fast:200000",
)
CODEX = (
    "gpt-5.1-codex:reasoning:256000",
    "gpt-5.1-codex-mini:large:256000",
    "codex-mini-latest:medium:200000",
)
EXTERNAL: dict[str, tuple[int, tuple[str, ...]]] = {
    "claude-bridge": (100, CLAUDE),
    "openai-bridge": (
        90,
        ("gpt-4-turbo:reasoning:128000", "gpt-4:reasoning:8192", "gpt-3.5-turbo:fast:16384"),
    ),
    "chatgpt-bridge": (
        90,
        ("gpt-4-turbo:reasoning:128000", "gpt-4:large:8192", "gpt-3.5-turbo:medium:16384"),
    ),
    "copilot-bridge": (60, ("gpt-4:reasoning:8192", "gpt-3.5-turbo:medium:4096")),
    "m365-copilot-bridge": (
        60,
        ("microsoft-365-copilot:reasoning:128000", "m365-copilot-chat:large:128000"),
    ),
    "cerebras": (30, ("llama-3.3-70b:large:8192", "qwen3-235b:reasoning:8192")),
    "groq": (
        30,
        (
            "llama-3.3-70b-versatile:large:131072",
            "llama-3.1-8b-instant:fast:131072",
            "gemma2-9b-it:medium:8192",
        ),
    ),
    "mistral": (
        60,
        (
            "mistral-large-latest:reasoning:131072",
            "mistral-small-latest:medium:131072",
            "ministral-8b-latest:fast:131072",
        ),
    ),
    "nvidia": (
        40,
        (
            "meta/llama-3.3-70b-instruct:large:131072",
            "mistralai/mistral-large-2-instruct:reasoning:131072",
        ),
    ),
    "cloudflare": (
        100,
        (
            "@cf/meta/llama-3.3-70b-instruct-fp8-fast:large:8192",
            "@cf/qwen/qwen1.5-14b-chat-awq:medium:32768",
        ),
    ),
    "openai-codex": (60, CODEX),
    "claude-code": (100, CLAUDE),
    "codex": (60, CODEX),
}
"""C-021 to C-033: calls in 60 seconds, and each model's id, tier and context."""


def shipped(**env: str) -> Book:
    return load(TEXT, env=env)


def provider(name: str, /, **env: str) -> Provider:
    return shipped(**env).providers[name]


def url(found: Provider) -> str:
    return f"{found.origin}{found.base_path}"


def key(found: Provider) -> str | None:
    return found.credential.secret if found.credential is not None else None


BOOK = shipped()


def test_it_loads_without_a_warning_and_names_its_schema():
    assert BOOK.warnings == ()
    assert TEXT.splitlines()[0] == "# yaml-language-server: $schema=./docs/rules.schema.json"
    assert (FILE.parent / "docs" / "rules.schema.json").is_file()


# A: models, chains, rates


OTHERS = {
    "whisper-1",
    "whisper-1_openai",
    "tts-1",
    "tts-1_go",
    "nvidia_nim/nvidia/llama-3_2-nv-rerankqa-1b-v2",
}


def entries() -> dict[str, tuple[str, str, Fraction]]:
    """Entries under `models` for text: provider, name there, rate."""
    found = {}
    for name, chain in BOOK.models.items():
        own = [target for target in chain if target.entry == name]
        if own and name not in OTHERS:
            found[name] = (own[0].provider.name, own[0].model, own[0].rate)
    return found


def test_there_are_46_models_at_the_six_providers():
    """A-090, A-092."""
    assert len(entries()) == 46
    assert {entry[0] for entry in entries().values()} == set(GATEWAY)


def test_sound_has_its_models_and_prices():
    """A-032, A-035, A-117, A-118, A-121, A-181."""
    assert [str(target) for target in BOOK.models["whisper-1"]] == [
        "deepinfra/openai/whisper-large-v3-turbo",
        "openai/whisper-1",
    ]
    assert [str(target) for target in BOOK.models["tts-1"]] == ["goapi/tts-1", "openai/tts-1"]
    assert {target.timeouts.total for target in BOOK.models["tts-1"]} == {30.0}
    assert (BOOK.audio.per_second, BOOK.audio.per_character) == (15, Fraction(1, 2))


def test_users_begin_with_10_000_and_666_is_free_above_100_000():
    """A-111, A-119, A-120, A-134, A-160: and nothing limits calls in a second."""
    assert BOOK.accounts == AccountRules(10_000_000_000, "666", 100_000_000_000)
    assert (BOOK.margin, BOOK.listen.port) == (Fraction(1, 2), 8088)
    assert (BOOK.windows_over(None), BOOK.windows) == ((), ())


def test_models_that_need_another_conversation_say_so():
    """A-052, A-056, A-058: each o1 and Claude model by whole answers, o1 without a system message."""
    own = {t.entry: t for chain in BOOK.models.values() for t in chain if t.entry in BOOK.models}
    assert len(own) > 46
    for name, target in own.items():
        whole = {"whole"} if name.startswith(("o1-", "claude-")) else set()
        instructed = {"no_system"} if name.startswith("o1-") else set()
        reasoner = {"reasoner"} if name.startswith("deepseek-reasoner") else set()
        assert target.adapt == whole | instructed | reasoner, name
        if whole:
            assert target.timeouts is not None
            assert target.timeouts.first_byte == target.timeouts.total == 180


@pytest.mark.parametrize(
    ("names", "least", "most"),
    [
        ("gpt-4o gpt-4o_go gpt-4o_guo", "0.8", "1.2"),
        ("gpt-4o-mini gpt-4o-mini_go gpt-4o-mini_guo", "2.4", "20"),
        ("gpt-3.5-turbo gpt-3.5-turbo_go gpt-3.5-turbo_guo", "2.4", "20"),
        ("o1-preview o1-preview_go", "0.12", "0.2"),
        ("o1-mini o1-mini_go o3-mini o3-mini_go", "2.4", "20"),
        ("claude-3-5-sonnet claude-3-5-sonnet_go", "0.8", "1.2"),
        ("claude-3-5-haiku claude-3-5-haiku_go", "2.4", "20"),
        ("claude-3-opus claude-3-opus_go", "0.12", "0.2"),
        ("claude-3-7-sonnet claude-3-7-sonnet_go claude-sonnet-4 claude-sonnet-4_go", "0.8", "1.2"),
        ("gpt-4.1 gpt-4.1_go", "0.8", "1.2"),
        ("gpt-4.1-mini gpt-4.1-mini_go gpt-4.1-nano gpt-4.1-nano_go", "2.4", "20"),
        ("deepseek-chat deepseek-chat_openrouter", "2.4", "20"),
        ("deepseek-reasoner deepseek-reasoner_openrouter", "0.8", "1.2"),
        (
            "llama-3.1-8b llama-3.1-8b_openrouter llama-3.1-70b llama-3.1-70b_openrouter",
            "1.7",
            "40",
        ),
        ("llama-3.1-405b llama-3.1-405b_openrouter", "1.7", "40"),
        ("wizardlm-2-7b wizardlm-2-8x22b wizardlm-2-8x22b_openrouter", "1.7", "40"),
        ("uncensored uncensored_openrouter", "1.7", "40"),
    ],
)
def test_the_models_and_their_rates(names, least, most):
    """A-093, A-094, A-095, A-096, A-097, A-098, A-099, A-100, A-101, A-102: the models; A-113, A-114, A-115,
    A-116: the bands of their rates.
    """
    for name in names.split():
        assert Fraction(least) <= entries()[name][2] <= Fraction(most), name


def test_gpt_4o_costs_what_the_worked_example_says():
    """A-091, A-112: 1000 tokens at rate 1.2 and a margin of 50 % are 1250."""
    rate = BOOK.models["gpt-4o"][1].rate
    assert rate is not None
    assert 1000 / rate * (1 + BOOK.margin) == 1250


def test_the_chain_of_gpt_4o():
    """A-071, A-074: and more fallbacks after these five."""
    chain = [(t.entry, str(t)) for t in BOOK.models["gpt-4o"]]
    assert chain[:5] == [
        ("gpt-4o_go", "goapi/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o_guo", "aiguoguo/gpt-4o"),
        ("deepseek-chat_openrouter", "openrouter/deepseek/deepseek-chat"),
        ("gpt-4o-mini_go", "goapi/gpt-4o-mini"),
    ]
    assert len(chain) > 5


def test_every_main_entry_has_a_fallback_and_is_in_its_own_chain():
    """A-070, A-075."""
    main = [name for name in entries() if not name.endswith(("_go", "_guo", "_openrouter"))]
    assert len(main) == 22
    for name in main:
        names = [target.entry for target in BOOK.models[name]]
        assert name in names
        assert len(names) >= 2, name


@pytest.mark.parametrize(
    ("name", "env", "where"),
    [
        ("openai", {"OPENAI_ORIGINAL_API_KEY": "k"}, "https://api.openai.com/v1"),
        (
            "openai",
            {"OPENAI_ORIGINAL_API_KEY": "k", "OPENAI_ORIGINAL_BASE_URL": "https://o.test/v1/"},
            "https://o.test/v1",
        ),
        (
            "goapi",
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://api.goapi.ai/v1"},
            "https://api.goapi.ai/v1",
        ),
        (
            "opensource",
            {"FREE_OPENAI_KEY": "k", "FREE_OPENAI_BASE_URL": "https://f.test/v1"},
            "https://f.test/v1",
        ),
        (
            "aiguoguo",
            {"AIGUOGUO_API_KEY": "k", "AIGUOGUO_BASE_URL": "https://g.test"},
            "https://g.test",
        ),
        ("deepseek", {"DEEPSEEK_API_KEY": "k"}, "https://api.deepseek.com/v1"),
        (
            "deepseek",
            {"DEEPSEEK_API_KEY": "k", "DEEPSEEK_BASE_URL": "https://d.test"},
            "https://d.test",
        ),
        ("openrouter", {"OPENROUTER_API_KEY": "k"}, "https://openrouter.ai/api/v1"),
        (
            "openrouter",
            {"OPENROUTER_API_KEY": "k", "OPENROUTER_BASE_URL": "https://r.test"},
            "https://r.test",
        ),
        ("xai", {"XAI_API_KEY": "k"}, "https://api.x.ai/v1"),
        (
            "litellm",
            {"LITELLM_API_KEY": "k", "LITELLM_BASE_URL": "http://localhost:4000"},
            "http://localhost:4000",
        ),
        ("nvidia_nim", {"NVIDIA_NIM_API_KEY": "k"}, "https://integrate.api.nvidia.com/v1"),
        ("perplexity", {"PERPLEXITY_API_KEY": "k"}, "https://api.perplexity.ai"),
        ("huggingface", {"HF_TOKEN": "k"}, "https://router.huggingface.co/v1"),
    ],
)
def test_providers_by_their_variables(name, env, where):
    """A-090, A-162, A-163, A-164, A-165, A-166, A-167, D-020, E-001, E-024."""
    found = provider(name, **env)
    assert found.unavailable is None
    assert url(found) == where
    assert key(found) == "k"
    assert provider(name).unavailable is not None


def test_the_names_that_clients_of_the_gateway_know():
    """E-001, E-048: each as a client writes it, and answers have the same."""
    known = [
        "anthropic",
        "deepseek",
        "xai",
        "openrouter",
        "litellm",
        "nvidia_nim",
        "perplexity",
        "huggingface",
    ]
    assert set(known) < BOOK.providers.keys()
    assert BOOK.names.provider("nvidia-nim") is None
    assert not BOOK.names.has("nvidia-nim/any")


def test_anthropic_is_asked_in_its_own_dialect():
    """E-001, E-024, E-060."""
    found = provider("anthropic", ANTHROPIC_API_KEY="k")
    assert (found.unavailable, found.dialect) == (None, "anthropic")
    assert found.credential is not None
    assert found.credential.header() == ("x-api-key", "k")


@pytest.mark.parametrize(
    "base", [None, "https://api.openai.com/v1", "http://localhost:8088/v1", "https://go.test/v1"]
)
@pytest.mark.parametrize("original", [None, "orig"])
def test_no_key_reaches_the_other_meaning_of_its_name(base, original):
    """Decision 20, T7."""
    env = {"OPENAI_API_KEY": "k"}
    env |= {"OPENAI_BASE_URL": base} if base else {}
    env |= {"OPENAI_ORIGINAL_API_KEY": original} if original else {}
    found = shipped(**env)
    foreign = base == "https://go.test/v1"
    at_openai = {key(p) for p in found.providers.values() if p.origin.host == "api.openai.com"}
    assert at_openai == {original or (None if foreign else "k")}
    assert key(found.providers["goapi"]) == ("k" if foreign else None)
    assert url(found.providers["goapi"]) == (
        "https://go.test/v1" if foreign else "https://not-set.invalid"
    )


# C: thirteen external providers


def test_the_external_providers_are_the_thirteen_in_their_order():
    """C-006, C-100, C-020, C-034: the order is the order of fallback."""
    tiered = [name for name, p in BOOK.providers.items() if any(m.tier for m in p.models)]
    assert tiered == list(EXTERNAL)
    rule = next(rule for rule in BOOK.rules if rule.name == "tier-fast")
    assert isinstance(rule.action, Tiered)
    assert [p.name for p in rule.action.providers] == list(EXTERNAL)


@pytest.mark.parametrize("name", EXTERNAL)
def test_an_external_provider(name):
    """C-100, C-021, C-022, C-023, C-024, C-025, C-026, C-027, C-028, C-029, C-030, C-031, C-032, C-033: models, tiers,
    contexts, RPM; C-062: defaults; C-080: 60 seconds; C-102: 30 seconds for a head, and for what comes after it.
    """
    found = BOOK.providers[name]
    rpm, models = EXTERNAL[name]
    rows = (model.rsplit(":", 2) for model in models)
    assert found.models == tuple(ProviderModel(i, tier, int(context)) for i, tier, context in rows)
    assert [(w.calls, w.per, w.scope) for w in found.windows] == [(rpm, 60.0, Scope.PROVIDER)]
    assert found.defaults == {"temperature": 0.3, "max_tokens": 2048}
    assert (found.timeouts.first_byte, found.timeouts.idle) == (30, 30)
    assert {model.tier for model in found.models} <= set(TIERS)


@pytest.mark.parametrize(
    ("name", "variable", "where"),
    [
        ("cerebras", "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"),
        ("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
        ("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        ("nvidia", "NVIDIA_API_KEY", "https://integrate.api.nvidia.com/v1"),
    ],
)
def test_providers_with_a_key(name, variable, where):
    """C-026, C-027, C-028, C-029, C-048, C-061, C-107."""
    assert provider(name).unavailable == f"No API key for {name}: {variable} is not set"
    assert provider(name, **{variable: ""}).unavailable is not None
    found = provider(name, **{variable: "k"})
    assert (found.unavailable, url(found), key(found)) == (None, where, "k")


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("openai-bridge", ["OPENAI_BRIDGE_URL"]),
        ("chatgpt-bridge", ["CHATGPT_BRIDGE_URL", "OPENAI_BRIDGE_URL"]),
        ("copilot-bridge", ["COPILOT_BRIDGE_URL"]),
        ("m365-copilot-bridge", ["M365_COPILOT_BRIDGE_URL"]),
        ("openai-codex", ["OPENAI_CODEX_URL", "CODEX_BRIDGE_URL"]),
        ("codex", ["CODEX_BRIDGE_URL", "OPENAI_CODEX_URL"]),
    ],
)
def test_bridges_by_every_combination_of_their_variables(name, variables):
    """C-042, C-043, C-044, C-045, C-046, C-047, C-049, C-060: URL + /v1, the first variable wins, no
    Authorization header.
    """
    for chosen in itertools.product([None, "", "http://{}.test:1/"], repeat=len(variables)):
        env = {
            v: c.format(v.replace("_", "-"))
            for v, c in zip(variables, chosen, strict=True)
            if c is not None
        }
        found = provider(name, **env)
        usable = [v for v in variables if env.get(v)]
        if usable:
            assert found.unavailable is None
            assert url(found) == f"http://{usable[0].replace('_', '-').lower()}.test:1/v1"
            assert found.credential is None
        else:
            assert f"No base URL for {name}: {' or '.join(variables)} is not set" in str(
                found.unavailable
            )


def test_the_claude_bridge_must_be_switched_on():
    """C-040, C-049, C-063."""
    on, where = {"CLAUDE_BRIDGE_ENABLED": "true"}, {"CLAUDE_BRIDGE_URL": "http://b.test"}
    assert (
        provider("claude-bridge").unavailable
        == "claude-bridge is switched off: CLAUDE_BRIDGE_ENABLED must be 'true'"
    )
    for word in ("1", "TRUE", "yes", ""):
        off = provider("claude-bridge", **where, CLAUDE_BRIDGE_ENABLED=word)
        assert "switched off" in str(off.unavailable)
    assert (
        provider("claude-bridge", **on).unavailable
        == "No base URL for claude-bridge: CLAUDE_BRIDGE_URL is not set"
    )
    ready = provider("claude-bridge", **on, **where)
    assert (ready.unavailable, url(ready), ready.credential) == (None, "http://b.test", None)


def test_claude_code_needs_its_url():
    """C-041, C-049, C-063."""
    assert (
        provider("claude-code").unavailable
        == "No base URL for claude-code: CLAUDE_CODE_URL is not set"
    )
    ready = provider("claude-code", CLAUDE_CODE_URL="http://b.test/x/")
    assert (ready.unavailable, url(ready), ready.credential) == (None, "http://b.test/x", None)


def test_codex_falls_back_to_a_key():
    """C-031, C-033, C-046, C-047."""
    own = provider("openai-codex", OPENAI_API_KEY="k")
    assert (own.unavailable, url(own), key(own)) == (None, "https://api.openai.com/v1", "k")
    own = provider("codex", GITHUB_CODEX_TOKEN="t")
    assert (own.unavailable, url(own), key(own)) == (
        None,
        "https://api.github.com/copilot_inner/v2",
        "t",
    )
    assert provider("codex", OPENAI_API_KEY="k").unavailable is not None
    bridged = provider("codex", GITHUB_CODEX_TOKEN="t", OPENAI_CODEX_URL="http://b.test")
    assert (url(bridged), key(bridged)) == ("http://b.test/v1", None)


def test_cloudflare_needs_an_account_too():
    """C-050, C-107."""
    assert (
        provider("cloudflare", CLOUDFLARE_AI_TOKEN="t").unavailable
        == "No base URL for cloudflare: CLOUDFLARE_ACCOUNT_ID is not set"
    )
    assert "No API key for cloudflare" in str(
        provider("cloudflare", CLOUDFLARE_ACCOUNT_ID="a").unavailable
    )
    ready = provider("cloudflare", CLOUDFLARE_AI_TOKEN="t", CLOUDFLARE_ACCOUNT_ID="acc")
    assert url(ready) == "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1"
    for account in ("../x", "a?b", "a#b", "a/../../b"):
        with pytest.raises(RulesError, match="CLOUDFLARE_ACCOUNT_ID"):
            shipped(CLOUDFLARE_AI_TOKEN="t", CLOUDFLARE_ACCOUNT_ID=account)


def test_bridges_at_one_url_share_one_window():
    """Decision 7."""
    one = shipped(OPENAI_BRIDGE_URL="http://b.test", CODEX_BRIDGE_URL="http://c.test").providers
    assert one["chatgpt-bridge"].windows == one["openai-bridge"].windows
    assert one["codex"].windows == one["openai-codex"].windows
    two = shipped(OPENAI_BRIDGE_URL="http://b.test", CHATGPT_BRIDGE_URL="http://c.test").providers
    assert two["chatgpt-bridge"].windows != two["openai-bridge"].windows


def test_available_are_those_that_are_enabled_and_set():
    """C-051: all are listed, the available ones are usable."""
    assert [p.name for p in BOOK.providers.values() if p.unavailable is None] == ["demo"]
    assert not BOOK.configured
    some = shipped(GROQ_API_KEY="k", XAI_API_KEY="x")
    assert [p.name for p in some.providers.values() if p.unavailable is None] == [
        "groq",
        "xai",
        "demo",
    ]
    assert some.configured


# The rules


class Calm:
    """Facts of a sidecar with nothing to do."""

    def fill(self, *_: object) -> float:
        return 0.0

    def balance(self, *_: object) -> int | None:
        return None

    def fares(self, *_: object) -> Fares:
        return Fares("healthy")


def decided(book: Book, model: str, *, forward: bool = False) -> str | None:
    call = Call(
        "r",
        "openai",
        Operation.CHAT,
        "POST",
        "h",
        "/v1",
        model,
        stream=False,
        principal=LOCAL,
        forward=forward,
    )
    for _, rule in book.candidates(model):
        if all(one.test(call, Calm(), 0.0, 0.0) for one in rule.conditions):
            return rule.name
    return None


def test_without_a_key_the_demo_answers():
    rule = BOOK.rules[0]
    assert (rule.name, decided(BOOK, "gpt-4o")) == ("demo", "demo")
    (target,) = rule.action.targets
    assert (str(target), target.rate) == ("demo/*", 2)


def test_the_demo_costs_what_the_sample_says():
    """A-050, decision 1: 21 tokens, 15.75."""
    assert 21 / BOOK.rules[0].action.targets[0].rate * (1 + BOOK.margin) == Fraction("15.75")
    assert BOOK.models["wattline-demo"][0].rate == 2


def test_with_a_key_the_rules_decide():
    book = shipped(OPENAI_API_KEY="k")
    assert [rule.name for rule in book.rules] == [
        "demo",
        "tier-fast",
        "tier-medium",
        "tier-large",
        "tier-reasoning",
        "by-model",
        "by-anthropic",
        "by-gemini",
        "by-openai",
        "by-openrouter",
        "pass",
    ]
    for tier in TIERS:
        assert decided(book, f"tier/{tier}") == f"tier-{tier}"
    assert decided(book, "gpt-4o") == "by-model"
    assert decided(book, "sonar-pro") == "by-model"
    assert decided(book, "claude-of-tomorrow") == "by-anthropic"
    assert decided(book, "claude-of-tomorrow", forward=True) == "pass"
    assert decided(book, "gemini-of-tomorrow") == "by-gemini"
    assert decided(book, "gpt-of-tomorrow") == "by-openai"
    assert decided(book, "somebody/gpt-of-tomorrow") == "by-openrouter"
    assert decided(book, "never-heard-of") is None
    assert decided(book, "never-heard-of", forward=True) == "pass"
    assert decided(book, "gpt-4o", forward=True) == "by-model"
    assert decided(book, "sonar-pro", forward=True) == "pass"


def test_the_hosts_that_are_ours():
    assert BOOK.intercept == (
        "api.openai.com",
        "api.anthropic.com",
        "generativelanguage.googleapis.com",
        "api.groq.com",
        "openrouter.ai",
        "api.deepseek.com",
        "api.x.ai",
        "api.mistral.ai",
        "api.perplexity.ai",
        "api.cerebras.ai",
        "integrate.api.nvidia.com",
    )
    assert not BOOK.intercepts("github.com")


def test_who_pays_has_a_thousand_calls_an_hour():
    """E-082."""
    (window,) = BOOK.tiers["paid"].windows
    assert (window.calls, window.per, window.scope) == (1000, 3600, Scope.PRINCIPAL)


def test_the_limits_for_callers_that_it_shows_are_right():
    """D-078, D-079, D-080, E-080, E-081: 100 requests in 15 minutes for each address, ready to be switched on."""
    assert (BOOK.windows, BOOK.doors, BOOK.cors, BOOK.trusted_proxies) == ((), (), None, ())
    shown = TEXT.replace("# windows:", "windows:").replace(
        "  # trusted_proxies:", "  trusted_proxies:"
    )
    shown = shown.replace("# cors:", "cors:").replace("#   origins:", "  origins:")
    for name in ("per-address", "calls", "sockets", "login", "per-caller"):
        assert shown.count(f"#   {name}:") == 1
        shown = shown.replace(f"#   {name}:", f"  {name}:")
    book = load(shown, env={})
    found = {w.name: (w.calls, w.per, w.scope, w.over) for w in (*book.windows, *book.doors)}
    assert found == {
        "per-address": (100, 900, Scope.ADDRESS, Over.REQUESTS),
        "calls": (50, 900, Scope.ADDRESS, Over.CALLS),
        "sockets": (5, 60, Scope.ADDRESS, Over.SOCKETS),
        "login": (10, 60, Scope.ADDRESS, Over.AUTH),
        "per-caller": (1000, 3600, Scope.PRINCIPAL, Over.CALLS),
    }
    assert book.cors == Cors(frozenset({"https://app.example"}))
    assert len(book.trusted_proxies) == 1


# Half-written and damaged


def loads(text: str | bytes) -> bool:
    """It loads, or is refused with problems; anything else is an error."""
    try:
        load(text, env={"OPENAI_API_KEY": "k"})
    except RulesError:
        return False
    return True


RULES_BEGIN = TEXT.index("\nrules:")


def test_cut_anywhere_it_is_refused_or_ends_in_its_rules():
    """T21, fault 33: a half-written file is never taken for a whole one before its rules."""
    raw = TEXT.encode()
    for cut in range(0, len(raw), 251):
        assert not (loads(raw[:cut]) and cut < RULES_BEGIN), cut
    for cut in range(len(raw) - 1_200, len(raw), 31):
        loads(raw[:cut])
    assert loads(raw)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 40),
    st.text("ab:-[]{}&*!|>'\"%@, \n\t0${}<\x00é", max_size=6),
)
def test_damaged_it_never_crashes(at, gone, put):
    loads(TEXT[:at] + put + TEXT[at + gone :])


VARIABLES = sorted(
    {name for names in re.findall(r"\$\{([A-Z_|]+)", TEXT) for name in names.split("|")}
)
VALUES = st.text(min_size=12, max_size=30) | st.sampled_from(
    [
        "http://hidden-secret.test",
        "https://u:hidden-secret@h.test",
        "hidden-secret\x00",
        "\udce9hidden-secret",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=6))
def test_no_environment_crashes_it_and_no_secret_is_told(env):
    try:
        told = repr(load(TEXT, env=env).auth)
    except RulesError as error:
        told = str(error)
    assert "hidden-secret" not in told


def test_the_known_apis_have_a_provider_each():
    """B-004: and DeepSeek and xAI speak OpenAI's."""
    found = {
        name: provider(name).dialect
        for name in (
            "openai",
            "anthropic",
            "gemini",
            "groq",
            "openrouter",
            "ollama",
            "deepseek",
            "xai",
        )
    }
    own = {"anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama"}
    assert found == {name: own.get(name, "openai") for name in found}


def test_no_key_is_in_the_file():
    """C-009: keys are names of variables; without variables there is none."""
    assert all(found.credential is None for found in BOOK.providers.values())
    keys = re.findall(r"^ *(?:key|token|secret): *(.+?) *(?:#.*)?$", TEXT, re.MULTILINE)
    assert keys
    written = [part for part in keys if not re.fullmatch(r"[\"'\[]*\$\{[^}]*\}.*", part)]
    assert not written
    assert not re.search(r"\b(?:sk|gsk|xai|AIza|hf)[-_][A-Za-z0-9_-]{12,}|\b[0-9a-f]{32,}\b", TEXT)
