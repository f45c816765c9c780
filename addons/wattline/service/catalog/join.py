"""Joins the rules with what providers report. Pure: the same arguments give the same list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from wattline.engine.decide import decide
from wattline.engine.plan import Plan
from wattline.engine.rest import Rest
from wattline.engine.view import View
from wattline.rules.book import Book
from wattline.rules.compiled.provider import Provider, ProviderModel
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.service.catalog.entry import Entry, ProviderEntry
from wattline.service.catalog.prices import Price
from wattline.service.catalog.reported import Reported
from wattline.wire.call import LOCAL, Call, Operation, Principal

_OPERATIONS = (
    Operation.CHAT,
    Operation.EMBEDDINGS,
    Operation.TRANSCRIPTION,
    Operation.SPEECH,
    Operation.IMAGES,
)
"""Tried in this order until a rule has a place for a call of the model."""
_OF_DEMO: Mapping[str, tuple[Operation, ...]] = MappingProxyType(
    {
        "wattline-demo-embedding": (Operation.EMBEDDINGS,),
        "wattline-demo-audio": (Operation.TRANSCRIPTION, Operation.SPEECH),
    }
)
"""What models of the demo are for by their names: it answers every call to any of them."""
_PARAMETERS = ("max_tokens", "stop", "stream", "temperature", "tools", "top_p")
"""What chat models are taken to accept that nobody says more of."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is joined. `now` is monotonic seconds, `wall` Unix seconds."""

    book: Book
    view: View
    reported: Callable[[Provider], tuple[Reported, ...]]
    price: Callable[[str, str], Price | None]
    now: float
    wall: float
    _by_id: dict[str, dict[str, Reported]] = field(default_factory=dict)

    def report(self, provider: Provider, model: str) -> Reported | None:
        """What a provider says of its model."""
        known = self._by_id.get(provider.name)
        if known is None:
            known = {report.id: report for report in self.reported(provider)}
            self._by_id[provider.name] = known
        return known.get(model)


def base_url(provider: Provider) -> str:
    """The URL that prices are found by."""
    return f"{provider.origin}{provider.base_path}"


def sorted_entries(found: Iterable[Entry]) -> list[Entry]:
    """What would be answered now first, each part in the order it came; each id once."""
    once = {entry.id: entry for entry in found}
    return sorted(once.values(), key=lambda entry: not entry.ready)


def entries(sources: Sources, principal: Principal) -> Iterator[Entry | None]:
    """What this caller can call, in the order of the rules; None for each name that it can't, so that
    whoever asks can pause now and then.
    """
    book = sources.book
    for name, chain in book.models.items():
        places = [target for target in chain if _counts(target.provider, book, principal)]
        asked = places or not book.configured  # the demo answers to every name
        yield _called(name, places, sources, principal) if asked else None
    named = set(book.models)
    for provider in book.providers.values():
        if _counts(provider, book, principal):
            yield from _reported(provider, sources, principal, named)


def _counts(provider: Provider, book: Book, principal: Principal) -> bool:
    """The demo's models are listed only while there is nothing else, though they can always be called."""
    return provider.open_to(principal) and not (provider.demo and book.configured)


def _reported(
    provider: Provider, sources: Sources, principal: Principal, named: set[str]
) -> Iterator[Entry | None]:
    """A provider's further models, under the names that reach them: the provider's own where a rule takes it there
    (`openai/gpt-4o` to OpenRouter) and it is not among `named`, else `provider/model`.
    """
    book = sources.book
    known = {
        target.model
        for chain in book.models.values()
        for target in chain
        if target.provider.name == provider.name
    }
    for report in sources.reported(provider):
        name = f"{provider.name}/{report.id}"
        if report.id in known or name in book.models:
            continue
        places = list(book.names.chain(name))
        entry = None
        if report.id not in named and _leads(report.id, provider, sources, principal):
            named.add(report.id)
            entry = _called(report.id, places, sources, principal)
        yield entry or (_called(name, places, sources, principal) if places else None)


def _leads(name: str, provider: Provider, sources: Sources, principal: Principal) -> bool:
    """The rules take a chat with that name to this provider's model of the same name, now or when it is ready."""
    call, place = _call(name, Operation.CHAT, principal), f"{provider.name}/{name}"
    plan = decide(call, sources.book, sources.view, sources.now, sources.wall)
    return place in (*map(str, plan.targets), *(skip.target for skip in plan.skipped))


def _called(
    name: str, places: list[Target], sources: Sources, principal: Principal
) -> Entry | None:
    """The entry of a called name; None when the rules have no place for it, or its caller may not call it."""
    if principal.models is not None and not principal.models.matches(name):
        return None
    own = {target.provider.name for target in places}
    made_for = _made_for(places)
    for operation in made_for or _OPERATIONS:
        plan = decide(
            _call(name, operation, principal),
            sources.book,
            sources.view,
            sources.now,
            sources.wall,
        )
        reached = [target for target in plan.targets if target.provider.name in own]
        reached = reached or _by_demo(plan, sources.book)
        if reached:
            entry = _entry(name, reached, sources, operation, ready=True)
            return (
                replace(entry, capabilities=tuple(one.value for one in made_for))
                if made_for
                else entry
            )
        if places and plan.deny is None and _waits(plan):
            return _entry(name, places, sources, operation, ready=False)
        if plan.deny is not None or "/" in name:
            return None
    return None


def _made_for(places: list[Target]) -> tuple[Operation, ...]:
    """What a model of the demo alone is for; nothing where that is every operation."""
    if not all(target.provider.demo for target in places):
        return ()
    return next((_OF_DEMO[t.model] for t in places if t.model in _OF_DEMO), ())


def one(name: str, sources: Sources, principal: Principal) -> Entry | None:
    """The entry of a name that is in no list. While there is nothing but the demo, that answers to it; else it may
    be a provider's own name of a model that the rules have another one for.
    """
    book = sources.book
    if not book.configured:
        return _called(name, [], sources, principal)
    for provider in book.providers.values():
        known = _counts(provider, book, principal) and sources.report(provider, name) is not None
        if known and _leads(name, provider, sources, principal):
            places = list(book.names.chain(f"{provider.name}/{name}"))
            return _called(name, places, sources, principal)
    return None


def _by_demo(plan: Plan, book: Book) -> list[Target]:
    """The demo, where there is nothing else."""
    return [] if book.configured else [t for t in plan.targets if t.provider.demo]


def _waits(plan: Plan) -> bool:
    return any(skip.code in {"resting", "window_full"} for skip in plan.skipped)


def _call(model: str, operation: Operation, principal: Principal) -> Call:
    return Call(
        id="catalog",
        dialect="openai",
        operation=operation,
        method="POST",
        host="",
        path="/v1/chat/completions",
        model=model,
        stream=False,
        principal=principal,
    )


def _entry(
    name: str, reached: list[Target], sources: Sources, operation: Operation, *, ready: bool
) -> Entry:
    target = reached[0]
    provider, upstream = target.provider, target.model
    if upstream == AS_ASKED:
        upstream = name.removeprefix(f"{provider.name}/")
    report = sources.report(provider, upstream) or Reported(upstream)
    listed = next((m for m in provider.models if m.id == upstream), ProviderModel(upstream))
    price = sources.price(upstream, base_url(provider)) or Price(None, None)
    chat = operation is Operation.CHAT
    return Entry(
        id=name,
        name=report.name or price.name or name,
        provider=provider.name,
        upstream=upstream,
        description=report.description or price.description or "",
        ready=ready,
        created=report.created,
        context=listed.context or report.context or price.context,
        max_output=report.max_output,
        prompt_price=report.prompt_price or price.prompt,
        completion_price=report.completion_price or price.completion,
        parameters=report.parameters or (_PARAMETERS if chat else ()),
        capabilities=tuple(dict.fromkeys((operation.value, *report.capabilities))),
        moderated=bool(report.moderated),
        rate=target.rate if target.rate is not None else sources.book.default_rate,
        tier=listed.tier,
        providers=tuple(dict.fromkeys(t.provider.name for t in reached)),
        operation=operation.value,
    )


def providers(sources: Sources, principal: Principal = LOCAL) -> list[ProviderEntry]:
    """Every provider of the rules, with its state for this caller (E-047)."""
    return [
        _provider(provider, sources, principal)
        for provider in sources.book.providers.values()
        if not provider.demo or not sources.book.configured
    ]


def _provider(provider: Provider, sources: Sources, principal: Principal) -> ProviderEntry:
    status, reason = "active", None
    owner = principal.id if provider.owned_by(principal) else None
    if not provider.open_to(principal):
        status, reason = "unavailable", provider.unavailable
    elif (parked := sources.view.parked(provider.name)) is not None:
        status, reason = "parked", str(parked)
    elif (rest := _rest(provider, owner, sources)) is not None:
        status, reason = "resting", rest.reason
    elif (full := sources.view.full(provider, 0, sources.now, owner)) is not None:
        status, reason = "limited", str(full)
    reports = sources.reported(provider) if provider.unavailable is None else ()
    models = dict.fromkeys(sources.book.names.offered(provider))
    models |= dict.fromkeys(report.id for report in reports)
    capable = dict.fromkeys(word for report in reports for word in report.capabilities)
    return ProviderEntry(
        id=provider.name,
        name=_title(provider.name),
        status=status,
        reason=reason,
        models=tuple(models),
        capabilities=("chat", *capable),
    )


def _rest(provider: Provider, owner: str | None, sources: Sources) -> Rest | None:
    if owner is None:
        return sources.view.rests(provider, sources.now)
    return sources.view.resting(provider.account_of(owner), sources.now)


_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "openai": "OpenAI",
        "goapi": "GoAPI",
        "deepseek": "DeepSeek",
        "openrouter": "OpenRouter",
        "deepinfra": "DeepInfra",
        "huggingface": "Hugging Face",
        "litellm": "LiteLLM",
        "nvidia": "NVIDIA",
        "xai": "xAI",
        "chatgpt": "ChatGPT",
        "m365": "M365",
        "nim": "NIM",
    }
)
"""Words of providers' names that are written in a way of their own."""


def _title(name: str) -> str:
    words = name.replace("_", "-").split("-")
    return " ".join(_TITLES.get(word, word[:1].upper() + word[1:]) for word in words)
