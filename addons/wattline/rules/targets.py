"""What a name in a chain or a `try` stands for, and the chains of all models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.rules.problems import LONGEST_NAME, nearest, unknown
from wattline.rules.providers import compile_timeouts
from wattline.rules.report import Report
from wattline.rules.shapes.model import ModelShape
from wattline.rules.tree import Path


@dataclass(slots=True)
class Targets:
    """Finds targets by the names that rules.yaml uses. Filled once, then only asked.

    `broken` are names of parts with a mistake of their own: a reference to one is not reported again.
    """

    report: Report
    providers: Mapping[str, Provider]
    broken: frozenset[str] = frozenset()
    own: dict[str, Target] = field(default_factory=dict)
    """Entry or alias to its own single target."""
    priced: dict[str, Target] = field(default_factory=dict)
    """`provider/model` to the first entry with that target."""
    virtual: set[str] = field(default_factory=set)
    """Entries that have a chain only."""
    listed: dict[str, tuple[Target, ...]] = field(default_factory=dict)
    """Ids under the providers' `models`, each at every provider that lists it."""

    def find(self, name: str, path: Path) -> Target | None:
        """The one target of a name: entry or alias, `provider/model`, provider, listed id. A mistake
        goes to the report.
        """
        if name in self.own:
            return self.own[name]
        if name in self.virtual:
            text = f"{name!r} has no provider of its own: use {{chain: {name}}}"
            self.report.wrong(path, text)
            return None
        return self._qualified(name, path) or self._bare(name) or self._single(name, path)

    def _qualified(self, name: str, path: Path) -> Target | None:
        provider, slash, model = name.partition("/")
        if not slash or not model or provider not in self.providers:
            return None
        if name not in self.priced:
            self.doubt(self.providers[provider], model, path)
        return self.at(self.providers[provider], model, name)

    def doubt(self, provider: Provider, model: str, path: Path) -> None:
        """Warn of a model that is not among those its provider lists."""
        listed = [known.id for known in provider.models]
        if listed and model not in listed:
            text = f"{provider.name} does not list this: {unknown('model', model, listed)}"
            self.report.doubtful(path, text)

    def _bare(self, name: str) -> Target | None:
        if name not in self.providers:
            return None
        return Target(self.providers[name], AS_ASKED, name, self.providers[name].rate)

    def _single(self, name: str, path: Path) -> Target | None:
        places = self.listed.get(name, ())
        if len(places) == 1:
            return places[0]
        if places:
            names = ", ".join(target.entry for target in places)
            self.report.wrong(path, f"{name!r} is listed by more than one provider: write {names}")
        elif name not in self.broken and name.partition("/")[0] not in self.broken:
            self.report.wrong(path, self._unknown(name))
        return None

    def _unknown(self, name: str) -> str:
        """What is wrong with a name that stands for nothing: of `provider/model` it is the provider, unless another name
        with a slash is near.
        """
        said, slash, model = name.partition("/")
        alike = nearest(name, self.names)
        if not slash or not model or (alike and "/" in alike):
            return unknown("model", name, self.names)
        meant = nearest(said, self.providers)
        hint = f". Did you mean {meant!r}?" if meant else ""
        short = f"{said[:LONGEST_NAME]}…" if len(said) > LONGEST_NAME else said
        return f"provider {short!r} is not in `providers`, and no model has this whole name{hint}"

    def at(self, provider: Provider, model: str, entry: str) -> Target:
        """A provider's model, with what an entry says about the same one."""
        target = Target(provider, model, entry, provider.rate)
        if (known := self.priced.get(str(target))) is not None:
            return replace(known, entry=entry)
        return target

    @property
    def names(self) -> set[str]:
        """Every name that stands for something, `provider/model` left out."""
        return {*self.own, *self.virtual, *self.listed, *self.providers, *self.broken}


def find_targets(
    models: Mapping[str, ModelShape],
    providers: Mapping[str, Provider],
    broken: frozenset[str],
    report: Report,
) -> Targets:
    """All names, ready to be asked."""
    targets = Targets(report, providers, broken)
    for name, shape in models.items():
        _add_entry(name, shape, targets)
    for name, shape in models.items():
        _add_aliases(name, shape, models, targets)
    places: dict[str, list[Target]] = {}
    for provider in providers.values():
        for model in provider.models:
            target = targets.at(provider, model.id, f"{provider.name}/{model.id}")
            places.setdefault(model.id, []).append(target)
    targets.listed = {name: tuple(found) for name, found in places.items()}
    return targets


def compile_models(
    models: Mapping[str, ModelShape], targets: Targets
) -> dict[str, tuple[Target, ...]]:
    """Every callable name and its chain: entries and aliases, then ids that only providers list."""
    chains: dict[str, tuple[Target, ...]] = {}
    for name, shape in models.items():
        chain = _chain(name, shape, targets)
        for called in (name, *shape.aliases):
            chains[called] = chain
    for name, places in targets.listed.items():
        if name not in targets.broken:
            chains.setdefault(name, places)
    return chains


def _add_entry(name: str, shape: ModelShape, targets: Targets) -> None:
    if shape.provider is None:
        targets.virtual.add(name)
        return
    provider = targets.providers.get(shape.provider)
    if provider is None:
        targets.broken |= {name}
        if shape.provider not in targets.broken:
            text = unknown("provider", shape.provider, targets.providers)
            targets.report.wrong(("models", name, "provider"), text)
        return
    timeouts = None
    if shape.timeouts is not None:
        timeouts = compile_timeouts(shape.timeouts, provider.timeouts)
    rate = shape.rate if shape.rate is not None else provider.rate
    adapt = frozenset(shape.adapt or ())
    target = Target(
        provider,
        shape.name or name,
        name,
        rate,
        timeouts,
        adapt,
        per_second=shape.per_second,
        per_character=shape.per_character,
    )
    if nearest(target.model, (known.id for known in provider.models)):
        # An entry may add a model to those that its provider lists; a likely slip is told.
        targets.doubt(
            provider, target.model, ("models", name, "name" if shape.name else "provider")
        )
    targets.own[name] = target
    targets.priced.setdefault(str(target), target)


def _add_aliases(
    name: str, shape: ModelShape, models: Mapping[str, ModelShape], targets: Targets
) -> None:
    for index, alias in enumerate(shape.aliases):
        path: Path = ("models", name, "aliases", index)
        if alias in models or alias in targets.own or alias in targets.virtual:
            targets.report.wrong(path, f"{alias!r} is the name of another model already")
        elif name in targets.own:
            targets.own[alias] = targets.own[name]
        elif name in targets.virtual:
            targets.virtual.add(alias)
        else:
            targets.broken |= {alias}


def _chain(name: str, shape: ModelShape, targets: Targets) -> tuple[Target, ...]:
    if shape.chain is None:
        own = targets.own.get(name)
        return (own,) if own is not None else ()
    found: dict[str, Target] = {}
    for index, item in enumerate(shape.chain):
        path: Path = ("models", name, "chain", index)
        target = targets.find(item, path)
        if target is not None and str(target) in found:
            targets.report.doubtful(path, f"{item!r} is in this chain already: it is tried once")
        elif target is not None:
            found[str(target)] = target
    return tuple(found.values())
