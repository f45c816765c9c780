"""Users' own keys for providers: kept sealed, opened for one call at a time, sent to one origin.

Rules of this file. A key is sealed for its row: id, user, provider and origin are its context, so that a row
moved to another user or another origin does not open. What is open lives as long as the call that needs it,
and until then no log line may show it (`secrets`).
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from weakref import WeakValueDictionary

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Kind, OurFault
from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.base.settings import SettingsError
from wattline.engine.plan import Plan, Skip
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import Target
from wattline.service.accounts.sealing import Sealing, Unsealable
from wattline.store.base import BadRow, LedgerDown
from wattline.store.migrations.logins import MAX_OF_USER
from wattline.store.provider_keys import ProviderKey, SqliteProviderKeys
from wattline.wire.call import Principal

LEAST, MOST = 8, 512
"""Characters of a key."""
_KEY: Final = re.compile(r"[\x21-\x7e]{8,512}")

log = logging.getLogger("wattline.tokens")


class OwnKeys:
    """One for the process."""

    def __init__(self, store: SqliteProviderKeys, sealing: Sealing, clock: Clock) -> None:
        self.store = store
        self._sealing, self._clock = sealing, clock
        self._open: WeakValueDictionary[str, Credential] = WeakValueDictionary()

    def of(self, user: str) -> list[ProviderKey]:
        """A user's keys, oldest first."""
        return self.store.of(user)

    def providers(self, user: str) -> frozenset[tuple[str, Origin]]:
        """For whom a user has keys, and where those may go: `Principal.providers`."""
        return frozenset((key.provider, key.origin) for key in self.store.of(user))

    def secrets(self) -> Iterable[str]:
        """What is open now: what no log line may show."""
        if not self._open:
            return []
        return [credential.secret for credential in list(self._open.values())]

    async def add(self, user: str, provider: Provider, secret: str, name: str) -> ProviderKey:
        """Keep a key. Raises ClientFault for one that the provider can't take, 409 for one too many;
        OurFault 503.
        """
        credential = self.credential(provider, secret)
        if len(self.store.of(user)) >= MAX_OF_USER:
            raise _too_many()
        origin = credential.origin
        blank = ProviderKey(
            id=f"pkey_{secrets.token_hex(8)}",
            user=user,
            provider=provider.name,
            scheme=origin.scheme,
            host=origin.host,
            port=origin.port,
            name=name,
            mask=masked(secret),
            sealed="",
            created=int(self._clock.wall() * 1000),
        )
        try:
            key = self._sealed(blank, secret)
            await self.store.add(key)
        except BadRow as error:
            log.warning("a key of %s was not kept: %s", user, error)
            raise _too_many() from None
        except LedgerDown as error:
            raise _down() from error
        except SettingsError as error:
            log.error("%s", error)  # noqa: TRY400  (the operator's, not a bug)
            raise _down() from error
        log.info("key %s of %s for %s was added", key.id, user, provider.name)
        return key

    async def remove(self, user: str, key: str) -> None:
        """Forget a key. Raises ClientFault 404 when the user has none with this id; OurFault 503."""
        try:
            gone = await self.store.drop(key, user)
        except LedgerDown as error:
            raise _down() from error
        if not gone:
            raise ClientFault(
                "You have no key with this id.",
                status=404,
                code="key_not_found",
                kind=Kind.NOT_FOUND,
            )
        log.info("key %s of %s was removed", key, user)

    def credential(self, provider: Provider, secret: str) -> Credential:
        """A key as this provider takes it, for as long as it is used. Raises ClientFault."""
        if provider.auth is AuthStyle.NONE or provider.demo:
            raise ClientFault(
                f"{provider.name} takes no key.", code="no_key_needed", param="provider"
            )
        if provider.unavailable is not None and not provider.needs_key:
            raise ClientFault(
                f"{provider.name} can't be used here at present, with whatever key.",
                status=409,
                code="provider_unavailable",
                param="provider",
            )
        if not _KEY.fullmatch(secret):
            raise ClientFault(
                f"A key has {LEAST} to {MOST} visible ASCII characters.",
                code="invalid_key",
                param="apiKey",
            )
        made = Credential(provider.origin, provider.auth, secret)
        self._open[secrets.token_hex(8)] = made
        return made

    def planned(self, plan: Plan, caller: Principal) -> Plan:
        """The plan with the caller's own keys in the place of the operator's, at the providers that the
        caller has one for. One that does not open is no target: nobody else's key takes its place.
        """
        if not caller.providers or plan.passed:
            return plan
        targets: list[Target] = []
        skipped = list(plan.skipped)
        for target in plan.targets:
            try:
                targets.append(self._owned(target, caller))
            except Unsealable as error:
                skipped.append(Skip(str(target), "own_key", f"your key can't be used: {error}"))
        return replace(plan, targets=tuple(targets), skipped=tuple(skipped))

    def _owned(self, target: Target, caller: Principal) -> Target:
        provider = target.provider
        if not provider.owned_by(caller):
            return target
        key = self.store.latest(caller.user or "", provider.name, provider.origin)
        if key is None:
            raise Unsealable("it was removed a moment ago")
        credential = self._credential(key, provider)
        owned = replace(provider, credential=credential, unavailable=None, key=0, keys=())
        return replace(target, provider=owned, owner=caller.id)

    def _credential(self, key: ProviderKey, provider: Provider) -> Credential:
        """The opened key, the same object for all calls of one time. Raises Unsealable."""
        found = self._open.get(key.id)
        if found is None or found.style is not provider.auth:
            found = self._open[key.id] = Credential(key.origin, provider.auth, self._opened(key))
        return found

    def _opened(self, key: ProviderKey) -> str:
        try:
            sealed = base64.b64decode(key.sealed, validate=True)
        except (binascii.Error, ValueError):
            raise Unsealable("it is damaged") from None
        return self._sealing.open(sealed, context_of(key))

    def _sealed(self, key: ProviderKey, secret: str) -> ProviderKey:
        sealed = self._sealing.seal(secret, context_of(key))
        return replace(key, sealed=base64.b64encode(sealed).decode())

    async def renew(self) -> None:
        """Seal with the current key what an older one sealed, so that the older one can go."""
        lost = renewed = 0
        for key in list(self.store.all()):
            try:
                if self._sealing.is_current(base64.b64decode(key.sealed)):
                    continue
                fresh = self._sealed(key, self._opened(key))
            except (Unsealable, ValueError):
                lost += 1
                continue
            try:
                renewed += await self.store.reseal(key, fresh.sealed)
            except LedgerDown as error:
                log.warning("keys of users keep their older seal: %s", error)
                return
        if renewed:
            log.info("%d keys of users were sealed with the current key", renewed)
        if lost:
            log.warning(
                "%d keys of users can't be opened: the key that sealed them is not in "
                "WATTLINE_SECRET_KEY or secret.key",
                lost,
            )


def context_of(key: ProviderKey) -> str:
    """What a key is sealed for."""
    return json.dumps(["provider key", key.id, key.user, key.provider, *key.origin])


def masked(secret: str) -> str:
    """`sk-ant-...xyz`: enough to recognise a key, too little to use it (E-087)."""
    if len(secret) < 20:
        return f"...{secret[-3:]}" if len(secret) >= 16 else "..."
    return f"{secret[:7]}...{secret[-3:]}"


def _too_many() -> ClientFault:
    return ClientFault(
        f"A user keeps at most {MAX_OF_USER} keys. Remove one first.",
        status=409,
        code="too_many_keys",
    )


def _down() -> OurFault:
    return OurFault(
        "The ledger can't be written; nothing was changed. The log says why.",
        status=503,
        code="ledger_down",
        kind=Kind.UNAVAILABLE,
        retry_after=5,
    )
