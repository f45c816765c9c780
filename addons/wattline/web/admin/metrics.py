"""Figures for operators, out of the ledger and the error log (B-041, B-085, B-144, B-200)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from wattline.service.accounts.key_facts import energy
from wattline.service.metering.error_log import ErrorSummary
from wattline.store.statistics import MOST, Per, Performance
from wattline.web.admin.answers import Limit, Seconds, errors, stamped
from wattline.web.admin.parts import AdminParts
from wattline.web.admin.performance_facts import performance_facts
from wattline.web.asking import once, page
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.parts import Control

DAY = 86_400


class MetricsPages:
    """Read only. A figure is at most a few seconds old."""

    def __init__(self, control: Control, parts: AdminParts, operators: Operators) -> None:
        self._control, self._parts, self._operators = control, parts, operators

    def router(self, base: str, *, told: bool) -> APIRouter:
        """Its routes; `told`: in the OpenAPI document."""
        admins = [Depends(self._operators.admin), Depends(once)]
        router = APIRouter(
            route_class=LazyRoute,
            prefix=base,
            dependencies=admins,
            tags=["metrics"],
            include_in_schema=told,
        )
        add, wrong = router.add_api_route, errors(400, 503)
        add("/metrics", self.summary, methods=["GET"], summary="The whole", responses=wrong)
        add("/metrics/summary", self.summary, methods=["GET"], summary="The whole",
            responses=wrong)  # fmt: skip
        add("/metrics/providers", self.providers, methods=["GET"],
            summary="Response times and errors of each provider", responses=wrong)  # fmt: skip
        add("/metrics/models", self.models, methods=["GET"],
            summary="Response times and errors of each model", responses=wrong)  # fmt: skip
        add("/cache", self.cache, methods=["GET"],
            summary="What broke providers' prompt caches", responses=wrong)  # fmt: skip
        add("/errors", self.errors, methods=["GET"], summary="The last lines of the error log",
            responses=wrong)  # fmt: skip
        return router

    async def summary(self, seconds: Seconds = DAY) -> Response:
        """Providers, models, keys, what was used in the period, and what the error log says."""
        done = await self._parts.statistics.performance("provider", seconds)
        found = await self._parts.errors.counted(self._parts.error_lines)
        control, clock = self._control, self._control.clock
        told = {
            "uptimeSeconds": int(clock.monotonic() - self._parts.started),
            "providers": self._providers(),
            "models": self._models(),
            "keys": self._keys(),
            "users": {"total": sum(1 for _ in control.accounts.store.users())},
            "usage": {"seconds": seconds, **_whole(done)},
            "errorLog": _log(found),
        }
        return page(stamped(clock, told))

    async def providers(self, seconds: Seconds = DAY) -> Response:
        """Raises OurFault 503."""
        return await self._performance("provider", seconds)

    async def models(self, seconds: Seconds = DAY) -> Response:
        """Raises OurFault 503."""
        return await self._performance("model", seconds)

    async def cache(self) -> Response:
        """Conversations, the latest first, and totals. Empty unless `affinity: {diagnose: true}` is set."""
        return page(stamped(self._control.clock, self._parts.prompt_caches()))

    async def errors(self, limit: Limit = 50) -> Response:
        """The newest first. `excluded`: a pattern of excluded-errors.json fits."""
        found = await self._parts.errors.latest(limit)
        return page(stamped(self._control.clock, {"entries": found, "count": len(found)}))

    async def _performance(self, per: Per, seconds: int) -> Response:
        excluded = await self._parts.errors.excluded()
        done = await self._parts.statistics.performance(per, seconds)
        entries = [performance_facts(row, excluded) for row in done]
        told = {"entries": entries, "count": len(entries), "seconds": seconds, "whole": _all(done)}
        return page(stamped(self._control.clock, told))

    def _providers(self) -> dict[str, int]:
        view, now = self._parts.view, self._control.clock.monotonic()
        known = self._control.book().providers.values()
        usable = [provider for provider in known if provider.unavailable is None]
        parked = [provider for provider in usable if view.parked(provider.name) is not None]
        resting = [provider for provider in usable if view.resting(provider.name, now) is not None]
        return {
            "total": len(known),
            "enabled": len(usable) - len(parked),
            "disabled": len(known) - len(usable) + len(parked),
            "parked": len(parked),
            "resting": len(resting),
        }

    def _models(self) -> dict[str, Any]:
        chains = self._control.book().models.values()
        sizes = Counter(
            len({t.provider.name for t in chain if t.provider.unavailable is None})
            for chain in chains
        )
        per_model = {str(size): count for size, count in sorted(sizes.items())}
        return {"total": len(chains), "providersPerModel": per_model}

    def _keys(self) -> dict[str, Any]:
        accounts = self._control.accounts
        keys, now = accounts.store.all_keys(), accounts.now_ms()
        return {
            "total": len(keys),
            "active": sum(key.active(now) for key in keys),
            "byRole": Counter(key.role.value for key in keys),
            "byTier": Counter(key.tier or "none" for key in keys),
        }


def _whole(done: list[Performance]) -> dict[str, Any]:
    return {
        "attempts": sum(row.attempts for row in done),
        "complete": sum(row.complete for row in done),
        "failed": sum(count for row in done for _, count in row.errors),
        "promptTokens": sum(row.prompt for row in done),
        "completionTokens": sum(row.completion for row in done),
        "energy": energy(sum(row.energy_micro for row in done)),
        "whole": _all(done),
    }


def _all(done: list[Performance]) -> bool:
    """False: there were more attempts than one question looks at, and these are the latest."""
    return sum(row.attempts for row in done) < MOST


def _log(found: ErrorSummary) -> dict[str, Any]:
    return {
        "totalLines": found.lines,
        "unreadable": found.unreadable,
        "excluded": found.excluded,
        "lastTimestamp": found.last,
        "fileBytes": found.size,
        "truncated": found.truncated,
        "byCode": found.codes,
        "byProvider": found.providers,
        "byModel": found.models,
        "byStatus": found.statuses,
    }
