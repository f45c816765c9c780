"""A flat table of hook handlers: mitmproxy's own manager asks every addon anew for each hook."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import CommandGenerator

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[None] | None]


class FlatAddons(AddonManager):
    """The stock manager with its handlers looked up once.

    What differs: no `update` hook after each flow hook (nobody here listens), and hooks whose handlers
    are all synchronous can be run inline. `AddonHalt` and error logging work as in the stock manager.
    """

    _table: dict[str, tuple[tuple[Handler, ...], bool]]

    def handlers(self, name: str) -> tuple[tuple[Handler, ...], bool]:
        """Handlers of a hook in order, and whether all of them are synchronous."""
        table = self.__dict__.setdefault("_table", {})
        entry: tuple[tuple[Handler, ...], bool] | None = table.get(name)
        if entry is None:
            found = [getattr(addon, name, None) for addon in traverse(self.chain)]
            callables = tuple(f for f in found if callable(f))
            entry = callables, not any(inspect.iscoroutinefunction(f) for f in callables)
            table[name] = entry
        return entry

    def run_inline(self, hook: hooks.Hook) -> bool:
        """Run a hook's handlers now if all are synchronous; False when they are not."""
        handlers, synchronous = self.handlers(hook.name)
        if not synchronous:
            return False
        if not handlers:
            return True
        data = tuple(vars(hook).values())  # the dataclass's fields; `hook.args` looks them up anew
        for handler in handlers:
            try:
                handler(*data)
            except exceptions.AddonHalt:
                break
            except Exception:
                log.exception("addon hook %s failed", hook.name)
        return True

    async def trigger_event(self, event: hooks.Hook) -> None:
        """Every handler of a hook, in order."""
        for handler in self.handlers(event.name)[0]:
            try:
                result = handler(*event.args())
                if inspect.isawaitable(result):
                    await result
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                log.exception("addon hook %s failed", event.name)

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        """A hook from a connection."""
        await self.trigger_event(event)

    def register(self, addon: Any) -> Any:
        """Add to the chain; the table is made anew."""
        self.__dict__.pop("_table", None)
        return super().register(addon)  # type: ignore[no-untyped-call]


def inlined(
    generator: CommandGenerator[None], run_inline: Callable[[commands.StartHook], bool]
) -> CommandGenerator[None]:
    """The commands of a layer without the hooks that `run_inline` has run."""
    reply: Any = None
    while True:
        try:
            command = generator.send(reply)
        except StopIteration:
            return
        if isinstance(command, commands.StartHook) and run_inline(command):
            reply = None
        else:
            reply = yield command
