"""What these pages are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wattline.engine.view import View
from wattline.service.catalog.catalog import Catalog
from wattline.service.metering.error_log import ErrorLog
from wattline.service.metering.statistics import Statistics
from wattline.service.offers.offers import Offers
from wattline.service.parking import ParkingDesk


@dataclass(frozen=True, slots=True)
class AdminParts:
    """One of each service. `error_lines` bounds how much of the error log a summary looks at."""

    catalog: Catalog
    view: View
    parking: ParkingDesk
    statistics: Statistics
    errors: ErrorLog
    offers: Offers
    started: float
    """Monotonic seconds at the start of the sidecar."""
    prompt_caches: Callable[[], dict[str, Any]]
    """What broke providers' prompt caches."""
    error_lines: int = 200_000
