"""A sidecar in this process, with fault-shaped upstreams, checked against their own count."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.clients import REVERSE, Reply, Way, call
from kit.explained import watching
from wattline.app.sidecar import Sidecar
from wattline.base.clock import Clock
from wattline.base.settings import Settings
from wattline.demo.knobs import Knobs
from wattline.demo.provider import DemoProvider
from wattline.store.audit import audit

QUICK = Knobs(
    base_delay_ms=0,
    delay_variance_ms=0,
    error_rate=0,
    timeout_rate=0,
    token_speed=10_000,
    logs=False,
)


@dataclass
class Running:
    sidecar: Sidecar
    upstreams: list[DemoProvider]
    state: Path
    rules: Path

    @property
    def address(self) -> tuple[str, int]:
        return self.sidecar.address

    @property
    def ca(self) -> Path:
        return self.sidecar.ca.certificate

    async def call(self, body: object, way: Way = REVERSE, **more: Any) -> Reply:
        return await call(self.address, way, self.ca, body, **more)


def rules(providers: list[str], *, extra: str = "", timeouts: str = "") -> str:
    """A small rules.yaml: providers p0, p1, … at these URLs, tried in order for `m`."""
    times = timeouts or "{connect: 1, first_byte: 1, idle: 1, total: 20}"
    lines = ["version: 1", "intercept: [api.openai.com]", "providers:"]
    for index, url in enumerate(providers):
        lines += [
            f"  p{index}:",
            f"    url: {url}",
            f"    key: ${{KEY_{index}}}",
            "    dialect: openai",
            f"    timeouts: {times}",
        ]
    if "health:" not in extra:
        # Tests that let a provider fail a few times in a row are seldom about what that leads to.
        lines += ["health: {breaker: false}"]
    lines += ["models:"]
    for index, _ in enumerate(providers):
        lines += [f"  m{index}: {{provider: p{index}, name: up{index}, rate: '2.0'}}"]
    chain = ", ".join(f"m{index}" for index, _ in enumerate(providers))
    lines += [
        f"  m: {{provider: p0, name: up0, rate: '2.0', chain: [{chain}]}}",
        "rules:",
        "  - {name: by-model, when: {}, try: model}",
    ]
    return "\n".join(lines) + "\n" + textwrap.dedent(extra)


@asynccontextmanager
async def running(
    tmp_path: Path,
    count: int = 2,
    *,
    extra: str = "",
    timeouts: str = "",
    knobs: Knobs = QUICK,
    text: str | None = None,
    env: dict[str, str] | None = None,
    check: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    """`count` upstreams p0.. and a sidecar in front; at the end the ledger's invariants are checked
    against the upstreams' own count, and each decision against its explanation, unless not `check`."""
    upstreams = [DemoProvider(knobs, allow_faults=True) for _ in range(count)]
    urls = [await upstream.start() for upstream in upstreams]
    path = tmp_path / "rules.yaml"
    path.write_text(
        text
        if text is not None
        else rules([f"{u}/v1" for u in urls], extra=extra, timeouts=timeouts)
    )
    keys = {f"KEY_{index}": f"sk-secret-of-upstream-{index:04d}" for index in range(count)}
    settings = Settings(
        rules=path,
        state=tmp_path / "state",
        host="127.0.0.1",
        port=0,
        env={**keys, **(env or {})},
    )
    sidecar = Sidecar(settings, clock=clock, mark_attempts=True)
    try:
        with watching() if check else nullcontext() as watched:
            await sidecar.start()
            yield Running(sidecar, upstreams, settings.state, path)
    finally:
        await sidecar.stop(grace=0)
        for upstream in upstreams:
            await upstream.stop()
    if watched is not None:
        watched.check(settings.state / "ledger.sqlite", sidecar.books.current)
        report = audit(settings.state / "ledger.sqlite")
        assert report.ok, str(report)
