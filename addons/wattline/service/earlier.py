"""Calls that go on from what an earlier one made: only its own caller may.

A provider knows the operator's key, not who stands behind it. It would give one user's conversation to any
other that names its id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wattline.base.errors import ClientFault, Kind
from wattline.service.remembered import Remembered
from wattline.wire.call import LOCAL, Call, Operation

FIELDS: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.RESPONSES: ("previous_response_id",),
    Operation.INTERACTIONS: ("previous_interaction_id",),
}
"""The members of a call's body that name what an earlier one made."""
_OF_NOBODY: Final[Mapping[Operation, tuple[str, ...]]] = {Operation.RESPONSES: ("conversation",)}
"""What is made by calls that do not go through here, so that nobody can be known to own it."""

type WasMade = Callable[[str, str], Awaitable[bool]]
"""Whether a principal was ever given an id, by the ledger."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """`remembered` has what was made lately; `was_made` is asked about the rest."""

    remembered: Remembered
    was_made: WasMade

    async def check(self, call: Call, value: Mapping[str, Any]) -> None:
        """Raises ClientFault 404 for an id that this caller was not given, 400 for what nobody is given here."""
        if call.operation not in FIELDS or call.principal.id == LOCAL.id:
            return
        for field in _OF_NOBODY.get(call.operation, ()):
            if value.get(field) is not None:
                raise ClientFault(
                    f"{field}: this sidecar can't know whose it is. Send the messages, or go on from a response.",
                    code="unsupported_parameter",
                    param=field,
                )
        for field, said in named(call.operation, value):
            kind, caller = call.operation.value, call.principal.id
            if self.remembered.find(kind, caller, said) is None and not await self.was_made(
                caller, said
            ):
                raise _unknown(field, said)


def named(operation: Operation, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a call goes on from: member and id, which is empty where it is no text."""
    for field in FIELDS.get(operation, ()):
        said = value.get(field)
        if said is not None:
            yield field, said if isinstance(said, str) else ""


def _unknown(field: str, said: str) -> ClientFault:
    return ClientFault(
        f"{field}: there is no {said[:100]!r} that this caller made through this sidecar.",
        status=404,
        code="not_found",
        kind=Kind.NOT_FOUND,
        param=field,
    )
