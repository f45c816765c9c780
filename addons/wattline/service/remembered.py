"""What earlier calls made, and where: a video, a response, an interaction (B-026, B-033, B-149).

An id leads to its provider only for the caller that it was given to. Times are seconds of any one clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cachetools import TLRUCache

from wattline.base.settings import SettingsError
from wattline.rules.compiled.target import Target

TTL: Final = 3600.0
"""Seconds that an id is remembered, unless configured."""
MAX_IDS: Final = 10_000
"""Ids of one kind that are remembered; past it the one that was asked for longest ago is forgotten."""
_VARIABLE: Final = "VIDEO_REQUEST_CACHE_TTL_MS"
_MAX_MS: Final = 30 * 24 * 3600 * 1000


class Place(NamedTuple):
    """Where something was made, by the names in rules.yaml and at the provider. `key` is the number of the key
    that was used, 0 where there is only one.
    """

    provider: str
    model: str
    entry: str
    key: int = 0

    @classmethod
    def of(cls, target: Target) -> Place:
        """The target's."""
        provider = target.provider
        return cls(provider.name, target.model, target.entry, provider.key)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made it (see `Place`), and until when that is remembered."""

    provider: str
    model: str
    entry: str
    key: int = 0
    until: float = field(kw_only=True)


type _Key = tuple[str, str]


class Remembered:
    """Makers by kind, principal and id. `clock` gives seconds that never go back."""

    def __init__(
        self, clock: Callable[[], float], ttl: float = TTL, max_ids: int = MAX_IDS
    ) -> None:
        self._clock = clock
        self.ttl = ttl
        self._max_ids = max_ids
        self._kinds: dict[str, TLRUCache[_Key, Maker]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {sum(map(len, self._kinds.values()))} ids>"

    def note(self, kind: str, principal: str, id_: str, place: Place, age: float = 0.0) -> None:
        """Remember where `id_` was made. `age` is seconds since then."""
        left = self.ttl - max(age, 0.0)
        if left > 0:
            maker = Maker(*place, until=self._clock() + left)
            self._of(kind)[principal, id_] = maker

    def find(self, kind: str, principal: str, id_: str) -> Maker | None:
        """Who made what this principal knows as `id_`; None when nobody did, or too long ago."""
        cache = self._kinds.get(kind)
        return None if cache is None else cache.get((principal, id_))

    def _of(self, kind: str) -> TLRUCache[_Key, Maker]:
        cache = self._kinds.get(kind)
        if cache is None:
            cache = TLRUCache(self._max_ids, lambda _key, maker, _now: maker.until, self._clock)
            self._kinds[kind] = cache
        return cache


def remembered_seconds(env: Mapping[str, str]) -> float:
    """What the environment says (B-149), in seconds. Raises SettingsError."""
    text = env.get(_VARIABLE, "").strip()
    if not text:
        return TTL
    if text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= _MAX_MS:
        return int(text) / 1000
    raise SettingsError(f"{_VARIABLE} must be 1 to {_MAX_MS} milliseconds, not {text[:40]!r}")
