"""Which models there are: what providers report, what the rules say."""

from __future__ import annotations

from wattline.app.ground import Ground
from wattline.app.memory import Memory
from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.inquiry import ask_any
from wattline.service.catalog.reports import Reports, refresh_seconds


def make_catalog(ground: Ground, memory: Memory) -> Catalog:
    """Asks providers when it is asked, and now and then."""
    reports = Reports(
        lambda: ground.book().providers.values(),  # noqa: PLW0108  (other rules may come)
        lambda provider: ask_any(provider, ground.upstream, ground.pseudonym),
        ground.clock.monotonic,
        refresh_seconds(ground.settings.env),
    )
    ground.exit.push_async_callback(reports.close)
    return Catalog(ground.book, memory.view, ground.clock, reports, memory.prices)
