"""What decisions look at: windows, rests, health, costs, and what was made before."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.app.ground import Ground
from wattline.base.tasks import spawn
from wattline.engine.affinity import Affinity
from wattline.engine.health import Health
from wattline.engine.parking import Parking
from wattline.engine.prompt_cache import PromptCaches
from wattline.engine.rest import Resting
from wattline.engine.spending import Spending
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.service.accounts.directory import Directory
from wattline.service.catalog.costs import Costs
from wattline.service.catalog.prices import Prices
from wattline.service.metering.past import heal, recall, recount, remember
from wattline.service.metering.prompt_caches import Diagnosis
from wattline.service.metering.rests import Rests
from wattline.service.parking import ParkingDesk
from wattline.service.remembered import Remembered, remembered_seconds
from wattline.store.parking import read_parked
from wattline.store.rests import read_rests


@dataclass(frozen=True, slots=True, repr=False)
class Memory:
    """`view` is how the engine sees the rest of it."""

    windows: Windows
    rests: Rests
    health: Health
    affinity: Affinity
    parking: ParkingDesk
    prices: Prices
    costs: Costs
    diagnosis: Diagnosis
    spending: Spending
    remembered: Remembered
    view: View

    @property
    def resting(self) -> Resting:
        """The accounts that rest."""
        return self.rests.resting

    def follow(self, book: Book) -> None:
        """Other rules are in force: a refused key may be another one now."""
        self.rests.clear()
        self.health.clear()
        self.health.rules = book.health
        _bound(self.affinity, book)

    def recall(self, ground: Ground, directory: Directory) -> None:
        """A restart must not give every window away anew, nor forget who made what."""
        ledger, now, wall = ground.ledger_file, ground.clock.monotonic(), ground.clock.wall()
        remember(self.windows, ground.book(), ledger, now, wall, directory.tiers)
        recount(self.spending, ledger, now, wall)
        recall(self.remembered, ledger, wall)
        heal(self.health, ledger, now, wall, ground.book().version)
        self.rests.restore(read_rests(ledger, int(wall * 1000)), ground.book())

    def learn_costs(self, ground: Ground) -> None:
        """In a task of its own: until it is done no cost is known, and targets stay as they were given."""
        task = spawn(self.costs.learn(ground.book()), name="learn prices")
        ground.exit.callback(task.cancel)


def make_memory(ground: Ground) -> Memory:
    """Empty, but for what is parked. Raises LedgerDown."""
    windows, resting, prices = Windows(), Resting(), Prices()
    parking, costs = _parking(ground), Costs(prices)
    health, affinity = Health(ground.book().health), Affinity()
    _bound(affinity, ground.book())
    return Memory(
        windows=windows,
        rests=Rests(resting, ground.ledger.rests, ground.clock),
        health=health,
        affinity=affinity,
        parking=parking,
        prices=prices,
        costs=costs,
        diagnosis=Diagnosis(PromptCaches(), costs),
        spending=Spending(),
        remembered=Remembered(ground.clock.monotonic, remembered_seconds(ground.settings.env)),
        view=View(
            windows,
            resting,
            ground.ledger.balance,
            parking.parking,
            health,
            costs.of,
            affinity,
        ),
    )


def _parking(ground: Ground) -> ParkingDesk:
    desk = ParkingDesk(ground.ledger.parking, Parking(), ground.book, ground.clock)
    desk.load(read_parked(ground.ledger_file))
    return desk


def _bound(affinity: Affinity, book: Book) -> None:
    affinity.ttl, affinity.most = book.affinity.ttl, book.affinity.max_entries
