"""Rules joined with what providers report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.load import load
from wattline.service.catalog.join import Sources, entries, one, providers, sorted_entries
from wattline.service.catalog.prices import Price
from wattline.service.catalog.reported import Reported
from wattline.wire.call import LOCAL, Principal

RULES = """
version: 1
energy: {default_rate: 3}
providers:
  a: {url: "https://a.test/v1", key: "${KEY_A}"}
  b: {url: "https://b.test/v1", key: "${KEY_B}", models: [{id: listed, context: 100}], rpm: 1}
  demo: {url: "https://demo.test/v1", demo: true, models: [{id: wattline-demo}]}
models:
  x: {provider: a, name: up-x, rate: 2, aliases: [also-x]}
  y: {provider: b, name: up-y, chain: [y, x]}
rules:
  - {name: demo, when: {unconfigured: true}, try: [demo]}
  - {name: by-model, try: model}
"""


@dataclass
class Wildcard:
    prefix: str

    def matches(self, text: str) -> bool:
        return text.startswith(self.prefix)


def sources(env=None, reported=None, price=None, now=0.0, windows=None):
    env = {"KEY_A": "key-of-a-0123456789", "KEY_B": "key-of-b-0123456789"} if env is None else env
    book = load(RULES.encode(), env=env)
    told = reported or {}
    view = View(windows or Windows(), Resting(), lambda _: None)
    return Sources(
        book,
        view,
        lambda provider: told.get(provider.name, ()),
        lambda model, url: (price or {}).get((model, url)),
        now,
        0.0,
    )


def listed(found: Sources, principal: Principal = LOCAL):
    return {e.id: e for e in sorted_entries(e for e in entries(found, principal) if e)}


def test_entries_aliases_and_listed_ids():
    found = listed(sources())
    assert list(found) == ["x", "also-x", "y", "listed"]
    assert found["y"].providers == ("b", "a")
    assert (found["x"].upstream, found["x"].rate) == ("up-x", 2)
    assert (found["listed"].context, found["listed"].rate) == (100, 3)


def test_without_a_key_a_chain_is_what_is_left_of_it():
    found = listed(sources({"KEY_A": "key-of-a-0123456789"}))
    assert list(found) == ["x", "also-x", "y"]
    assert (found["y"].provider, found["y"].upstream) == ("a", "up-x")


def test_models_of_the_demo_say_what_they_are_for():
    text = (Path(__file__).parents[3] / "rules.yaml").read_text()
    view = View(Windows(), Resting(), lambda _: None)
    found = listed(Sources(load(text, env={}), view, lambda _: (), lambda *_: None, 0.0, 0.0))
    assert {n: e.capabilities for n, e in found.items() if n.startswith("wattline-")} == {
        "wattline-demo": ("chat",),
        "wattline-demo-mini": ("chat",),
        "wattline-demo-embedding": ("embeddings",),
        "wattline-demo-audio": ("transcription", "speech"),
    }
    assert found["wattline-demo-embedding"].parameters == ()


def test_the_demo_is_listed_while_there_is_nothing_else():
    """M8: it answers to every name that the rules have, so all of them are listed, and others are found."""
    found = listed(sources({}))
    assert list(found)[-1] == "wattline-demo"
    assert {"x", "also-x", "y"} <= found.keys()
    assert {entry.provider for entry in found.values()} == {"demo"}
    assert "wattline-demo" not in listed(sources())
    hidden = one("whatever", sources({}), LOCAL)
    assert hidden is not None
    assert (hidden.id, hidden.provider, hidden.ready) == ("whatever", "demo", True)
    assert one("whatever", sources(), LOCAL) is None


def test_what_providers_report_is_joined_in():
    told = {
        "a": (
            Reported("up-x", "X", "words", 5, "o", 1000, 10, "0.1", "0.2", ("seed",), ("vision",)),
            Reported("more"),
        ),
        "b": (Reported("unlisted"), Reported("listed", context=999)),
    }
    found = listed(sources(reported=told))
    assert list(found) == ["x", "also-x", "y", "listed", "a/more"]  # b lists what it has itself
    x = found["x"]
    assert (x.name, x.description, x.context, x.prompt_price) == ("X", "words", 1000, "0.1")
    assert (x.parameters, x.capabilities) == (("seed",), ("chat", "vision"))
    assert found["listed"].context == 100  # rules.yaml has the last word
    assert found["a/more"].provider == "a"


def test_public_prices_stand_in():
    price = {("up-x", "https://a.test/v1"): Price("0.5", None, 77, "Nice", "Said")}
    x = listed(sources(price=price))["x"]
    assert (x.prompt_price, x.completion_price, x.context, x.name) == ("0.5", None, 77, "Nice")


def test_a_key_for_some_models_is_told_of_those():
    found = listed(sources(), Principal("ann", models=Wildcard("x")))
    assert list(found) == ["x"]


def test_providers_without_a_key_are_told_with_the_reason():
    """E-047."""
    told = {entry.id: entry for entry in providers(sources({"KEY_A": "key-of-a-0123456789"}))}
    assert list(told) == ["a", "b"]
    assert (told["a"].status, told["b"].status) == ("active", "unavailable")
    assert "KEY_B" in (told["b"].reason or "")


def test_titles_are_as_they_are_written():
    """E-047: `openrouter` is OpenRouter."""
    names = "anthropic", "openai", "openrouter", "nvidia-nim", "xai", "claude-bridge", "my_own"
    lines = "".join(f"  {name}: {{url: 'https://h.test'}}\n" for name in names)
    text = f"version: 1\nproviders:\n{lines}models: {{m: {{provider: xai}}}}\nrules: [{{name: r, try: model}}]\n"
    view = View(Windows(), Resting(), lambda _: None)
    found = Sources(load(text.encode(), env={}), view, lambda _: (), lambda *_: None, 0.0, 0.0)
    assert [entry.name for entry in providers(found)] == [
        "Anthropic",
        "OpenAI",
        "OpenRouter",
        "NVIDIA NIM",
        "xAI",
        "Claude Bridge",
        "My Own",
    ]


OPEN = """
version: 1
providers:
  a: {url: "https://a.test/v1"}
  b: {url: "https://b.test/v1"}
models:
  x: {provider: a, name: maker/x}
rules:
  - {name: by-model, try: model}
  - {name: others, when: {model: "*/*"}, try: [a, b]}
"""


def test_models_have_the_names_that_rules_take_to_them():
    """D-043, D-045: a provider's own, unless that leads elsewhere, or to another provider's first."""
    resting = Resting()
    view = View(Windows(), resting, lambda _: None)
    told = {
        "a": (Reported("maker/x"), Reported("maker/y"), Reported("plain"), Reported("b/z")),
        "b": (Reported("maker/y"), Reported("maker/z")),
    }
    book = load(OPEN.encode(), env={})
    found = Sources(book, view, lambda p: told.get(p.name, ()), lambda *_: None, 0.0, 0.0)
    assert {name: entry.provider for name, entry in listed(found).items()} == {
        "x": "a",
        "maker/y": "a",
        "a/plain": "a",
        "a/b/z": "a",  # `b/z` is z at b
        "b/maker/y": "b",
        "maker/z": "b",
    }
    for_some = Principal("ann", models=Wildcard("b/"))  # who may call it by that name alone
    assert list(listed(found, for_some)) == ["b/maker/y", "b/maker/z"]
    hidden = one("maker/x", found, LOCAL)
    assert hidden is not None
    assert (hidden.id, hidden.provider, hidden.upstream) == ("maker/x", "a", "maker/x")
    assert one("maker/none", found, LOCAL) is None
    assert one("plain", found, LOCAL) is None
    assert one("maker/x", found, Principal("ann", models=Wildcard("x"))) is None
    resting.rest("a", 100.0, "it asked to wait")
    assert {"maker/y", "maker/z"} < listed(found).keys()


def test_a_name_of_the_rules_stays_theirs():
    """Another provider's model has it too, and is tried when the first one's fails."""
    text = OPEN.replace(
        "- {name: by-model,",
        "- {name: either, when: {model: x}, try: [x, b]}\n  - {name: by-model,",
    )
    view = View(Windows(), Resting(), lambda _: None)
    book, told = load(text.encode(), env={}), {"b": (Reported("x"),)}
    found = Sources(book, view, lambda p: told.get(p.name, ()), lambda *_: None, 0.0, 0.0)
    assert {name: (one.provider, one.upstream) for name, one in listed(found).items()} == {
        "x": ("a", "maker/x"),
        "b/x": ("b", "x"),
    }
