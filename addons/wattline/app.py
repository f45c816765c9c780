"""The only place where things are put together: settings to stores to services to addons."""

from __future__ import annotations

from wattline.base.settings import Settings


class Sidecar:
    """A running sidecar. `async with Sidecar(settings) as sidecar:` starts and stops it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def start(self) -> None:
        """Open the ledger, load the rules, start the demo provider, listen. Ready on return.

        Raises RulesError, SettingsError, LedgerDown, OSError (port taken).
        """
        raise NotImplementedError

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        raise NotImplementedError

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening, let open calls end for `grace` seconds, end the rest with an error, settle
        all, close the ledger. Idempotent."""
        raise NotImplementedError

    async def __aenter__(self) -> Sidecar:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def serve(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; the exit code."""
    raise NotImplementedError
