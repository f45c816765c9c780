"""Which target served a conversation last: it has the start of the prompt in its cache."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from wattline.wire.call import Call

type Place = tuple[str, str]
"""A provider's name and the model there."""
type _Key = tuple[str, str, str]

TTL: Final = 600.0
MOST: Final = 10_000


class Affinity:
    """Conversations by caller, called model and key; nothing of a prompt. At most `most` are remembered, each
    for `ttl` seconds after its last answer. Asking changes nothing.
    """

    __slots__ = ("_kept", "most", "ttl")

    def __init__(self, ttl: float = TTL, most: int = MOST) -> None:
        self.ttl = ttl
        self.most = most
        self._kept: OrderedDict[_Key, tuple[Place, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, call: Call, now: float) -> Place | None:
        """The place that answered last; None for a new conversation. `now` is monotonic seconds."""
        if call.conversation is None:
            return None
        found = self._kept.get(_key(call, call.conversation))
        return None if found is None or now - found[1] >= self.ttl else found[0]

    def stick(self, call: Call, place: Place, now: float) -> None:
        """It answered a call of this conversation."""
        if call.conversation is None:
            return
        key = _key(call, call.conversation)
        self._kept[key] = place, now
        self._kept.move_to_end(key)
        while self._kept and self._old(now):
            self._kept.popitem(last=False)

    def _old(self, now: float) -> bool:
        """The one that was used longest ago is one too many, or counts no more."""
        _, at = next(iter(self._kept.values()))
        return len(self._kept) > self.most or now - at >= self.ttl


def _key(call: Call, conversation: str) -> _Key:
    return call.principal.id, call.model, conversation
