"""`sidecar.json` in the state folder: tells other commands where this sidecar is, and what it has."""

from __future__ import annotations

import json
import logging
import os

from wattline import __version__
from wattline.app.ground import Ground
from wattline.rules.elsewhere import Elsewhere

log = logging.getLogger(__name__)


class Mark:
    """Written once we listen and whenever other rules come into force, taken away at the end."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._path = ground.settings.state / "sidecar.json"
        self._gone = False
        ground.exit.callback(self._take_away)

    def write(self) -> None:
        """A folder that can't be written is told of in the log."""
        if self._gone:
            return
        whole = self._path.with_suffix(".json.new")
        try:
            whole.write_text(json.dumps(self._told()))
            whole.replace(self._path)
        except OSError as error:
            log.warning("other commands can't be told of this sidecar: %s", error)

    def _told(self) -> dict[str, object]:
        """Names and reasons only: no key, no value of a variable."""
        ground, book = self._ground, self._ground.book()
        had = Elsewhere.of(book)
        return {
            "pid": os.getpid(),
            "host": ground.address.host,
            "port": ground.address.port,
            "version": __version__,
            "rules": str(ground.books.path.absolute()),
            "rules_version": book.version,
            "providers": dict(had.providers),
            "several_keys": sorted(name for name, one in book.providers.items() if one.keys),
            "callers": sorted(had.callers),
        }

    def _take_away(self) -> None:
        self._gone = True
        self._path.unlink(missing_ok=True)
