"""What the name of a called model stands for: an entry, an alias, a listed id, or `provider/model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.wire.call import Call

MAX_NAMES = 100
"""Names in one list for a client."""


class Names:
    """Finds the chain of a called name. Made once for a book, then only asked.

    `provider/model` is any model of a provider that lists none, else one that it lists or that an entry
    has there. Another spelling of a provider is no name of it: a rule that denies one would not know it.
    """

    __slots__ = ("_at", "_bare", "_models")

    def __init__(
        self, models: Mapping[str, tuple[Target, ...]], bare: Mapping[str, Target]
    ) -> None:
        """`models` are the names with a chain of their own, `bare` holds for each provider a target whose
        model is still open.
        """
        self._models = models
        self._bare = bare
        self._at: dict[tuple[str, str], Target] = {}
        for chain in models.values():
            for target in chain:
                if target.model != AS_ASKED:
                    self._at.setdefault((target.provider.name, target.model), target)

    def chain(self, name: str) -> tuple[Target, ...]:
        """The targets of a name in order; none when it is not known."""
        found = self._models.get(name)
        if found is not None:
            return found
        target = self._qualified(name)
        return () if target is None else (target,)

    def has(self, name: str) -> bool:
        """The name stands for something."""
        return name in self._models or self._qualified(name) is not None

    def knows(self, call: Call) -> bool:
        """The called model is known. On a provider's own host `provider/model` is that host's name for
        something. Else its provider must be ready as well, unless the client named the provider on
        purpose: another rule may know a better place.
        """
        if call.model in self._models:
            return True
        target = None if call.forward else self._qualified(call.model)
        if target is None:
            return False
        return call.provider is not None or target.provider.open_to(call.principal)

    def ready(self, call: Call) -> bool:
        """The called model is known, and some target of it can be used."""
        chain = self._models.get(call.model, ())
        return any(target.provider.open_to(call.principal) for target in chain)

    def provider(self, name: str) -> Provider | None:
        """The configured provider that a client calls `name`."""
        found = self._bare.get(name)
        return None if found is None else found.provider

    def offered(self, provider: Provider) -> tuple[str, ...]:
        """The models that are known at a provider, at most MAX_NAMES."""
        listed = {model.id for model in provider.models}
        listed.update(model for name, model in self._at if name == provider.name)
        return tuple(sorted(listed)[:MAX_NAMES])

    def _qualified(self, name: str) -> Target | None:
        said, slash, model = name.partition("/")
        provider = self.provider(said) if slash and model else None
        if provider is None:
            return None
        found = self._at.get((provider.name, model)) or self._entry(provider, model)
        if found is not None:
            return found
        listed = provider.models
        if listed and not any(known.id == model for known in listed):
            return None
        return replace(self._bare[provider.name], model=model, entry=name)

    def _entry(self, provider: Provider, name: str) -> Target | None:
        """What an entry or alias stands for at that provider."""
        chain = self._models.get(name, ())
        return next(
            (t for t in chain if t.provider.name == provider.name and t.model != AS_ASKED), None
        )
