"""One fake provider of every dialect, and a sidecar in front."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.books import check_books, rows
from kit.providers.anthropic import FakeAnthropic
from kit.providers.base import FakeProvider
from kit.providers.gemini import FakeGemini
from kit.providers.generate import FakeGenerate
from kit.providers.ollama import FakeOllama
from kit.providers.openai_chat import FakeOpenAi
from kit.sidecars import Running
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings
from wattline.store.audit import audit

KINDS: tuple[type[FakeProvider], ...] = (
    FakeAnthropic,
    FakeOpenAi,
    FakeGemini,
    FakeOllama,
    FakeGenerate,
)
DIALECTS = tuple(kind.name for kind in KINDS)
HOSTS = (
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "api.groq.com",
    "ollama.com",
)
MODELS = {"gemini": "gemini-2.5-flash", "anthropic": "claude-sonnet-4-5"}
"""Names at the provider, where they matter."""
PATIENT = ("first_byte: 0.25, idle: 0.25", "first_byte: 10, idle: 10")
"""To `replace` where nothing stalls: a busy machine is no fault of a provider's."""


@dataclass
class Fleet(Running):
    """`m-<dialect>` is a model of that provider; `chain` tries all in the order of `DIALECTS`."""

    checked: int = 0
    """Rows of the ledger that belong to what was forgotten."""

    @property
    def url(self) -> str:
        host, port = self.address
        return f"http://{host}:{port}"

    def provider(self, dialect: str) -> FakeProvider:
        return next(found for found in self.upstreams if found.name == dialect)

    @property
    def asked(self) -> list[str]:
        """The dialects of the providers that were asked, each as often as it was."""
        return [found.name for found in self.upstreams for _ in found.journal.requests]

    def forget(self) -> None:
        """Nothing scripted, nothing seen, nobody rests."""
        self.checked += len(rows(self.state, self.checked))
        for found in self.upstreams:
            found.script()
            found.journal.requests.clear()
        self.sidecar.parts.records.settlement.rests.clear()

    def check(self, *, wrong: Sequence[str] = ()) -> None:
        """The ledger agrees with the providers, and they refused nothing."""
        check_books(self, self.checked)
        assert [why for found in self.upstreams for why in found.wrongs] == list(wrong)


def fleet_rules(providers: Sequence[FakeProvider], *, extra: str = "", rule: str = "") -> str:
    """rules.yaml; `rule` is added to the rule that lets every model be called."""
    lines = [
        "version: 1",
        "health: {breaker: false}",
        f"intercept: [{', '.join(HOSTS)}]",
        "providers:",
    ]
    for found in providers:
        lines += [
            f"  {found.name}:",
            f"    url: {found.url}{found.prefix}",
            f"    key: ${{KEY_{found.name.upper()}}}",
            f"    dialect: {found.name}",
            "    responses: false",
            "    timeouts: {connect: 1, first_byte: 0.25, idle: 0.25, total: 20}",
        ]
    lines += ["models:"]
    for found in providers:
        at = f"provider: {found.name}, name: {MODELS.get(found.name, 'up')}, rate: '2.0'"
        lines.append(f"  m-{found.name}: {{{at}}}")
    chain = ", ".join(f"m-{found.name}" for found in providers)
    lines += [
        f"  chain: {{chain: [{chain}]}}",
        "rules:",
        f"  - {{name: by-model, try: model{rule}}}",
    ]
    return "\n".join(lines) + "\n" + textwrap.dedent(extra)


@asynccontextmanager
async def fleet(
    folder: Path,
    dialects: Sequence[str] = DIALECTS,
    *,
    extra: str = "",
    rule: str = "",
    replace: Sequence[tuple[str, str]] = (),
    env: dict[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """At the end the ledger's own invariants are checked, and its agreement with the providers."""
    kinds = [next(kind for kind in KINDS if kind.name == name) for name in dialects]
    providers = [kind(f"sk-secret-of-{kind.name}-0001") for kind in kinds]
    for found in providers:
        await found.start()
    text = fleet_rules(providers, extra=extra, rule=rule)
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    path = folder / "rules.yaml"
    path.write_text(text)
    keys = {f"KEY_{found.name.upper()}": found.key for found in providers}
    settings = Settings(
        rules=path, state=folder / "state", host="127.0.0.1", port=0, env={**keys, **(env or {})}
    )
    sidecar = Sidecar(settings, mark_attempts=True)
    try:
        await sidecar.start()
        yield Fleet(sidecar, providers, settings.state, path)
    finally:
        await sidecar.stop(grace=0)
        await asyncio.gather(*(found.stop() for found in providers))
    report = audit(settings.state / "ledger.sqlite")
    assert report.ok, str(report)
