"""Offered keys: each is sealed and waits until an admin accepts or rejects it. None is used by itself."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.base.ids import mask, new_id
from wattline.base.settings import SettingsError
from wattline.engine.windows import Claim, Refusal, Windows
from wattline.rules.compiled.window import Scope, Window
from wattline.service.accounts.sealing import Sealing, Unsealable
from wattline.service.entrance.addresses import counted_as
from wattline.service.line_log import LineLog
from wattline.service.offers.policy import OfferPolicy
from wattline.service.outage import ledger_told
from wattline.store.base import LedgerDown
from wattline.store.json_lines import JsonLines
from wattline.store.offers import (
    Decision,
    Offer,
    SqliteOffers,
    read_offer,
    read_offers,
    read_sealed,
)

LOG_NAME = "admin-keys.jsonl"
_KEY = re.compile(r"[\x21-\x7e]{8,512}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TIER = re.compile(r"[\w .:-]{1,64}")

log = logging.getLogger(__name__)


class Offers:
    """`ledger` is the file that `store` writes. Every method raises Faults only."""

    def __init__(
        self,
        policy: OfferPolicy,
        store: SqliteOffers,
        ledger: Path,
        sealing: Sealing,
        lines: LineLog,
        clock: Clock,
    ) -> None:
        self.policy = policy
        self.lines = lines
        self._store, self._ledger, self._sealing, self._clock = store, ledger, sealing, clock
        self._windows = Windows()
        spans = (("second", 1.0, policy.per_second), ("minute", 60.0, policy.per_minute),
                 ("day", 86_400.0, policy.per_day))  # fmt: skip
        self._spans = tuple(
            Window(f"offered keys per {name}", per, calls=calls, scope=Scope.ADDRESS)
            for name, per, calls in spans
        )

    def admit(self, peer: str) -> None:
        """Count a request of an address. Raises ClientFault 429."""
        claims = [Claim(window, counted_as(peer)) for window in self._spans]
        taken = self._windows.take(claims, self._clock.monotonic())
        if isinstance(taken, Refusal):
            raise ClientFault(
                f"An address may offer {taken.limit} keys in {taken.window.per:g} s.",
                status=429,
                code="rate_limit_exceeded",
                kind=Kind.RATE_LIMIT,
                retry_after=taken.retry_after,
            )

    async def offer(self, given: Mapping[str, Any], peer: str) -> Offer:
        """Keep a key: `{provider, key, tier?}`. Raises Fault."""
        key, provider, tier = _text(given, "key"), _text(given, "provider").lower(), _tier(given)
        if not _KEY.fullmatch(key):
            raise _wrong("key: must be 8 to 512 printable characters without spaces.", "key")
        if not _PROVIDER.fullmatch(provider):
            raise _wrong(
                "provider: must be letters, digits, '.', '_', '-', at most 64.", "provider"
            )
        offer = Offer(new_id("offer"), self._now(), provider, tier, mask(key), None)
        allowed = self.policy.providers
        if allowed is not None and provider not in allowed:
            self._note(offer, peer, "provider_not_allowed")
            raise ClientFault(
                "Keys of this provider are not taken.",
                status=403,
                code="provider_not_allowed",
                kind=Kind.PERMISSION,
                param="provider",
            )
        sealed = self._seal(key, offer.id)
        kept = Offer(offer.id, offer.at, provider, tier, offer.mask, sealed)
        with ledger_told():
            if not await self._store.add(kept):
                self._note(offer, peer, "full")
                raise OurFault(
                    "So many offered keys wait for a decision that no more are taken.",
                    status=503,
                    code="too_many_offers",
                    kind=Kind.UNAVAILABLE,
                    retry_after=3_600,
                )
        self._note(offer, peer, "kept")
        return kept

    async def listed(
        self, state: Decision | None, limit: int, offset: int
    ) -> tuple[list[Offer], int]:
        """Offers, the newest first, and how many there are. Raises OurFault."""
        return await self._read(lambda: read_offers(self._ledger, state, limit, offset))

    async def accept(self, offer: str, by: str) -> tuple[Offer, str]:
        """The key itself, to be put where the rules look for it. One that was accepted before is told again.

        Raises Fault: 404, 409 for one that was rejected.
        """
        found = await self._found(offer)
        if found.sealed is None:
            raise ClientFault("This key was rejected, and forgotten.", status=409, code="rejected")
        secret = self._open(found)
        with ledger_told():
            if await self._store.accept(offer, self._now(), by):
                log.info("offered key %s was accepted by %s", offer, by)
        return await self._found(offer), secret

    async def reject(self, offer: str, by: str) -> Offer:
        """Forget a key. Raises Fault: 404."""
        await self._found(offer)
        with ledger_told():
            if await self._store.reject(offer, self._now(), by):
                log.info("offered key %s was rejected by %s", offer, by)
        return await self._found(offer)

    async def renew(self) -> None:
        """Seal with the current key what an older one sealed, so that the older one can go."""
        lost = renewed = 0
        try:
            for offer in await asyncio.to_thread(read_sealed, self._ledger):
                try:
                    fresh = self._sealed_anew(offer)
                except (Unsealable, ValueError):
                    lost += 1
                    continue
                if fresh is not None:
                    renewed += await self._store.reseal(offer, fresh)
        except LedgerDown as error:
            log.warning("offered keys keep their older seal: %s", error)
            return
        if renewed:
            log.info("%d offered keys were sealed with the current key", renewed)
        if lost:
            log.warning(
                "%d offered keys can't be opened: the key that sealed them is not in "
                "WATTLINE_SECRET_KEY or secret.key",
                lost,
            )

    def _sealed_anew(self, offer: Offer) -> str | None:
        """None when the current key sealed it. Raises Unsealable, ValueError."""
        sealed, context = base64.b64decode(offer.sealed or ""), _context(offer.id)
        if self._sealing.is_current(sealed):
            return None
        plain = self._sealing.open(sealed, context)
        return base64.b64encode(self._sealing.seal(plain, context)).decode()

    async def logged(self) -> tuple[list[dict[str, Any]], int]:
        """The last lines of the log, the oldest first, and how many there were to look at."""
        await self.lines.written()
        found = await asyncio.to_thread(
            lambda: list(self.lines.file.records(self.policy.log_entries))
        )
        entries = [record for record in reversed(found) if record is not None]
        return entries, len(found)

    async def _found(self, offer: str) -> Offer:
        found = await self._read(lambda: read_offer(self._ledger, offer))
        if found is None:
            raise ClientFault(
                f"There is no offered key {offer[:100]!r}.",
                status=404,
                code="offer_not_found",
                kind=Kind.NOT_FOUND,
            )
        return found

    async def _read[T](self, question: Callable[[], T]) -> T:
        with ledger_told():
            return await asyncio.to_thread(question)

    def _seal(self, key: str, offer: str) -> str:
        try:
            return base64.b64encode(self._sealing.seal(key, _context(offer))).decode()
        except SettingsError as error:
            log.error("offered keys can't be kept: %s", error)  # noqa: TRY400  (no bug of ours)
            raise OurFault("Keys can't be kept now.", status=503, code="no_sealing") from None

    def _open(self, offer: Offer) -> str:
        try:
            return self._sealing.open(base64.b64decode(offer.sealed or ""), _context(offer.id))
        except (Unsealable, ValueError) as error:
            raise OurFault(
                f"This key can't be read again: {error}. Has WATTLINE_SECRET_KEY changed?",
                code="unsealable",
            ) from None

    def _note(self, offer: Offer, peer: str, outcome: str) -> None:
        moment = datetime.fromtimestamp(offer.at / 1000, UTC).isoformat(timespec="milliseconds")
        self.lines.add(
            {
                "receivedAt": moment,
                "id": offer.id,
                "provider": offer.provider,
                "tier": offer.tier,
                "key": offer.mask,
                "sourceIp": peer,
                "outcome": outcome,
            }
        )

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)


def offers_log(state: Path, policy: OfferPolicy) -> JsonLines:
    """The file in a state folder, and one older."""
    return JsonLines(state / "logs" / LOG_NAME, policy.log_bytes)


def _context(offer: str) -> str:
    return f"offered key {offer}"


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise _wrong(f"{name}: must be text.", name)
    return value.strip()


def _tier(given: Mapping[str, Any]) -> str | None:
    value = given.get("tier")
    if value is None:
        return None
    if not isinstance(value, str) or not _TIER.fullmatch(value):
        raise _wrong("tier: must be a short text.", "tier")
    return value


def _wrong(message: str, param: str) -> ClientFault:
    return ClientFault(message, code="invalid_value", param=param)
