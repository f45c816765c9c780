"""All that is below the faces, put together."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.app.callers import Callers, make_callers
from wattline.app.calls import Calling, Calls
from wattline.app.catalog import make_catalog
from wattline.app.entrance import Entrance, make_entrance
from wattline.app.ground import Ground
from wattline.app.memory import Memory, make_memory
from wattline.app.records import Records, make_records
from wattline.service.catalog.catalog import Catalog
from wattline.service.watching.census import Census


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """One of each. Later ones know earlier ones."""

    ground: Ground
    memory: Memory
    callers: Callers
    records: Records
    calls: Calls
    catalog: Catalog
    entrance: Entrance


def make_parts(ground: Ground, census: Census | None, *, mark: bool) -> Parts:
    """`mark`: tell upstreams each attempt's id. Raises SettingsError, LedgerDown."""
    memory = make_memory(ground)
    callers = make_callers(ground, memory.spending)
    records = make_records(ground, memory, census)
    calls = Calling(ground, memory, callers, records, mark).made()
    catalog = make_catalog(ground, memory)
    entrance = make_entrance(ground, memory, callers, records, catalog)
    return Parts(ground, memory, callers, records, calls, catalog, entrance)
