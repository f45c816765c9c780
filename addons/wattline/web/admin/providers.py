"""Providers: what they are, how they are, and switching them off and on (B-041, B-082, B-085)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.errors import ClientFault, Kind
from wattline.base.ids import mask
from wattline.engine.parking import Parked
from wattline.engine.rest import Rest
from wattline.rules.book import Book
from wattline.rules.compiled.facts import Subject
from wattline.rules.compiled.provider import Provider
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.service.accounts.key_facts import moment
from wattline.web.admin.answers import Seconds, errors, stamped
from wattline.web.admin.fields import TEXT, body_of, read_fields
from wattline.web.admin.parts import AdminParts
from wattline.web.admin.performance_facts import performance_facts
from wattline.web.admin.window_facts import window_facts
from wattline.web.asking import once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.parts import Control

_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")


class ProviderAdmin:
    """What a provider is stands in rules.yaml alone; here it can be switched off and on."""

    def __init__(self, control: Control, parts: AdminParts, operators: Operators) -> None:
        self._control, self._parts, self._operators = control, parts, operators

    def router(self, base: str, *, told: bool) -> APIRouter:
        """Its routes; `told`: in the OpenAPI document."""
        admins = [Depends(self._operators.admin), Depends(once)]
        router = APIRouter(
            route_class=LazyRoute,
            prefix=f"{base}/providers",
            dependencies=admins,
            tags=["providers"],
            include_in_schema=told,
        )
        add = router.add_api_route
        off = body_of({"model": dict(TEXT), "reason": dict(TEXT)}, optional=True)
        on = body_of({"model": dict(TEXT)}, optional=True)
        all_errors = errors(400, 404, 409, 413, 415, 503)
        add("", self.all, methods=["GET"], summary="Providers and their state",
            responses=errors(400))  # fmt: skip
        add("/{name}", self.one, methods=["GET"], summary="One provider, and how it did",
            responses=errors(400, 404, 503))  # fmt: skip
        add("/{name}/disable", self.disable, methods=["POST"], responses=all_errors,
            summary="Switch a provider, or one model of it, off until further notice",
            openapi_extra=off)  # fmt: skip
        add("/{name}/enable", self.enable, methods=["POST"], responses=all_errors,
            summary="Switch it on again", openapi_extra=on)  # fmt: skip
        add("", self.fixed, methods=["POST"], status_code=409, include_in_schema=False)
        for method in _WRITES:
            add("/{name}", self.fixed, methods=[method], status_code=409, include_in_schema=False)
        return router

    async def all(self) -> Response:
        """All of rules.yaml, those that can't be used too, with the reason."""
        book = self._control.book()
        found = [self._facts(provider, book) for provider in book.providers.values()]
        return page(stamped(self._control.clock, {"entries": found, "count": len(found)}))

    async def one(self, name: str, seconds: Seconds = 86_400) -> Response:
        """With windows, models and what the ledger says of the period. Raises ClientFault 404."""
        book = self._control.book()
        provider = self._provider(name, book)
        view, now = self._parts.view, self._control.clock.monotonic()
        off = view.parked_models(name)
        models = {model.id: model for model in provider.models}
        names = dict.fromkeys([*models, *_called(provider, book), *off])
        excluded = await self._parts.errors.excluded()
        done = await self._parts.statistics.performance("model", seconds)
        mine = [performance_facts(row, excluded) for row in done if row.provider == name]
        told = self._facts(provider, book) | {
            "models": [
                {
                    "id": model,
                    "tier": models[model].tier if model in models else None,
                    "context": models[model].context if model in models else None,
                    "disabled": _off(off.get(model)),
                    "health": self._health(Target(provider, model, model)),
                }
                for model in names
            ],
            "windows": [
                window_facts(window, window.name, view, now)
                for one in provider.each
                for window in one.windows
            ],
            "timeouts": {
                "connect": provider.timeouts.connect,
                "first_byte": provider.timeouts.first_byte,
                "idle": provider.timeouts.idle,
                "total": provider.timeouts.total,
            },
            "retries": provider.retries,
            "performance": {"seconds": seconds, "models": mine},
        }
        return page(stamped(self._control.clock, {"provider": told}))

    async def disable(self, request: Request, name: str) -> Response:
        """Nothing is tried there any more, also after a restart, until it is enabled. Raises Fault."""
        by = self._operators.admin(request).id
        fields = await read_fields(request, empty=True)
        model, reason = fields.text("model") or "", fields.text("reason")
        fields.end()
        reason = None if reason is None else reason.strip()
        await self._parts.parking.park(name, model, reason, by)
        return self._told(name)

    async def enable(self, request: Request, name: str) -> Response:
        """Raises Fault: 409 when it was not off."""
        by = self._operators.admin(request).id
        fields = await read_fields(request, empty=True)
        model = fields.text("model") or ""
        fields.end()
        await self._parts.parking.unpark(name, model, by)
        return self._told(name)

    async def fixed(self) -> Response:
        """Raises ClientFault 409."""
        raise ClientFault(
            "Providers are in rules.yaml and their keys in the environment: edit the file, a saved change "
            "takes effect on the next call. Here a provider can only be disabled and enabled.",
            status=409,
            code="providers_are_in_rules",
        )

    def _told(self, name: str) -> Response:
        book = self._control.book()
        provider = book.providers.get(name)
        told: dict[str, Any] = {"id": name} if provider is None else self._facts(provider, book)
        models = self._parts.view.parked_models(name)
        told["disabledModels"] = {model: _off(parked) for model, parked in models.items()}
        return page(stamped(self._control.clock, {"provider": told}))

    def _provider(self, name: str, book: Book) -> Provider:
        provider = book.providers.get(name)
        if provider is None:
            raise ClientFault(
                f"There is no provider {name[:100]!r} in rules.yaml.",
                status=404,
                code="provider_not_found",
                kind=Kind.NOT_FOUND,
                param="provider",
            )
        return provider

    def _facts(self, provider: Provider, book: Book) -> dict[str, Any]:
        view, now = self._parts.view, self._control.clock.monotonic()
        parked, rest = view.parked(provider.name), view.rests(provider, now)
        status, reason = self._status(provider)
        credential = provider.credential
        return {
            "id": provider.name,
            "dialect": provider.dialect,
            "url": f"{provider.origin}{provider.base_path}",
            "key": None if credential is None else mask(credential.secret),
            "keys": [self._key(one, now) for one in provider.keys],
            "status": status,
            "reason": reason,
            "available": status == "active",
            "unavailable": provider.unavailable,
            "disabled": _off(parked),
            "resting": _rest(rest, now),
            "health": self._of_provider(provider, now),
            "modelCount": len({*(m.id for m in provider.models), *_called(provider, book)}),
            "demo": provider.demo,
        }

    def _key(self, one: Provider, now: float) -> dict[str, Any]:
        """One of several: an account of its own."""
        view, credential = self._parts.view, one.credential
        rest, full = view.resting(one.account, now), view.full(one, 0, now)
        return {
            "number": one.key,
            "key": None if credential is None else mask(credential.secret),
            "resting": _rest(rest, now),
            "full": None if full is None else str(full),
        }

    def _of_provider(self, provider: Provider, now: float) -> dict[str, Any]:
        """All its models together, and each that was tried."""
        view = self._parts.view
        fares = view.fares(Subject(provider.name, (provider.account,)), now)
        return {
            "calls": fares.calls,
            "score": round(fares.score, 4),
            "errorShare": round(fares.errors, 4),
            "firstByteMs": _rounded(fares.first_ms),
            "breaker": view.worst(provider.name, now).value,
            "models": {
                model: self._health(Target(provider, model, model))
                for model in view.tried(provider.name)
            },
        }

    def _health(self, target: Target) -> dict[str, Any]:
        """What decisions know of it: moving averages, and the breaker."""
        view, now = self._parts.view, self._control.clock.monotonic()
        figures = view.figures(target)
        return {
            "calls": figures.calls,
            "score": round(figures.score, 4),
            "errorShare": round(figures.errors, 4),
            "firstByteMs": _rounded(figures.first_ms),
            "responseMs": _rounded(figures.total_ms),
            "breaker": view.breaker(target, now).value,
            "triedAgainIn": _rounded(view.breaker_wait(target, now)),
        }

    def _status(self, provider: Provider) -> tuple[str, str | None]:
        """In the order in which decisions look."""
        view, now = self._parts.view, self._control.clock.monotonic()
        if provider.unavailable is not None:
            return "unavailable", provider.unavailable
        if (parked := view.parked(provider.name)) is not None:
            return "parked", str(parked)
        if (rest := view.rests(provider, now)) is not None:
            return "resting", rest.reason
        if (full := view.full(provider, 0, now)) is not None:
            return "limited", str(full)
        return "active", None


def _called(provider: Provider, book: Book) -> list[str]:
    """The names of its models that chains call."""
    targets = (target for chain in book.models.values() for target in chain)
    return [t.model for t in targets if t.provider.name == provider.name and t.model != AS_ASKED]


def _rest(rest: Rest | None, now: float) -> dict[str, Any] | None:
    if rest is None:
        return None
    left = round(rest.until - now, 3)
    return {"reason": rest.reason, "seconds": left, "asked": rest.limited}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _off(parked: Parked | None) -> dict[str, Any] | None:
    if parked is None:
        return None
    return {"since": moment(parked.since), "by": parked.by, "reason": parked.reason}
