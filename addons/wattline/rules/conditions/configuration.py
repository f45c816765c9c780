"""What the rules know of a call: its model, and what they decide of it once, when they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

from wattline.base.origin import Origin
from wattline.rules.compiled.facts import Facts
from wattline.rules.conditions.line import Line, short, word
from wattline.rules.names import Names
from wattline.wire.call import Call


@dataclass(frozen=True, slots=True)
class Fixed(Line):
    """What the rules themselves decide, once, when they are loaded (`unconfigured`). It is false for a caller
    with a key of its own for one of `but`.
    """

    field: str
    wanted: bool
    found: bool
    but: frozenset[tuple[str, Origin]] = frozenset()

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self._found(call) is self.wanted

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        return f"{self.field} is {word(self._found(call))}, wanted {word(self.wanted)}"

    def _found(self, call: Call) -> bool:
        owned = call.principal.providers
        return self.found and (not owned or self.but.isdisjoint(owned))


@dataclass(frozen=True, slots=True)
class ModelKnown(Line):
    """What `try: model` needs: the file knows the called model. A call to a provider's own host must
    also find a provider with a key, so that a later `pass` can serve it with the client's.
    """

    names: Names
    field: str = "known"

    @override
    def test(self, call: Call, facts: Facts, now: float, wall: float) -> bool:
        return self.names.ready(call) if call.forward else self.names.knows(call)

    @override
    def why_not(self, call: Call, facts: Facts, now: float, wall: float) -> str:
        if self.names.has(call.model):
            return f"no provider of model {short(call.model)} is configured"
        return f"model {short(call.model)} is not known here"
