"""Books, calls and views in a line each, for tests of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.compiled.entrance import Auth, Limits, Listen, Tunnel
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.provider import Provider, ProviderModel, Timeouts
from wattline.rules.compiled.rule import Rule
from wattline.rules.compiled.target import Target
from wattline.rules.compiled.upkeep import LedgerRules
from wattline.rules.compiled.window import Window
from wattline.rules.conditions.call import FLAGS, READERS, FlagIs, TextIs
from wattline.rules.globs import Patterns
from wattline.wire.call import LOCAL, Call, Operation

SECRET = "sk-test-secret-0123456789"


def a_provider(name: str, **changed: Any) -> Provider:
    """A provider that can be used, with a key."""
    origin = Origin("https", f"{name}.example", 443)
    fields: dict[str, Any] = {
        "dialect": "openai",
        "origin": origin,
        "base_path": "/v1",
        "auth": AuthStyle.BEARER,
        "credential": Credential(origin, AuthStyle.BEARER, SECRET),
        "windows": (),
        "timeouts": Timeouts(),
    }
    models = [
        model if isinstance(model, ProviderModel) else ProviderModel(*model)
        for model in changed.pop("models", ())
    ]
    return Provider(name, **(fields | {"models": tuple(models)} | changed))


def a_target(provider: Provider | str, model: str = "m", **changed: Any) -> Target:
    """A target under the entry of its model's name."""
    found = a_provider(provider) if isinstance(provider, str) else provider
    return Target(found, model, changed.pop("entry", model), **changed)


def a_window(
    name: str = "w", per: float = 60.0, calls: int | None = None, **changed: Any
) -> Window:
    return Window(name, per, calls, **changed)


def a_book(
    *rules: Rule,
    providers: tuple[Provider, ...] = (),
    models: Mapping[str, tuple[Target, ...]] | None = None,
    **changed: Any,
) -> Book:
    """A book of these rules. Providers of its models are its providers too."""
    known = {target.provider.name: target.provider for c in (models or {}).values() for target in c}
    known |= {provider.name: provider for provider in providers}
    fields: dict[str, Any] = {
        "version": "v1",
        "listen": Listen(),
        "intercept": (),
        "tunnel": Tunnel(),
        "auth": Auth(),
        "windows": (),
        "margin": Fraction(1, 2),
        "limits": Limits(),
        "ledger": LedgerRules(),
    }
    return Book(providers=known, models=models or {}, rules=rules, **(fields | changed))


def a_call(model: str = "m", **changed: Any) -> Call:
    fields: dict[str, Any] = {
        "dialect": "openai",
        "operation": Operation.CHAT,
        "method": "POST",
        "host": "127.0.0.1",
        "path": "/v1/chat/completions",
        "stream": False,
        "principal": LOCAL,
    }
    return Call("call_1", model=model, **(fields | changed))


def a_view(
    windows: Windows | None = None,
    resting: Resting | None = None,
    balances: Mapping[str, int] | None = None,
) -> View:
    return View(windows or Windows(), resting or Resting(), (balances or {}).get)


def state_of(view: View, provider: str, now: float) -> str:
    """How a provider with one key is: `healthy`, `resting` or `out`."""
    return view.fares(Subject(provider, (provider,)), now).state


def text_is(field: str, *patterns: str) -> TextIs:
    """`when: {field: patterns}`."""
    return TextIs(field, Patterns.of(patterns), READERS[field])


def flag_is(field: str, *, wanted: bool) -> FlagIs:
    return FlagIs(field, wanted, FLAGS[field])
