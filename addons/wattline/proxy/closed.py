"""Fail closed: an exception in a hook of ours ends what the hook was about, and is logged.

mitmproxy itself logs an addon's exception and goes on as if the addon were not there, which would
forward the request as it came.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

type Hook = Callable[[Any, Any], Awaitable[None] | None]
type Close = Callable[[Any, Any], None]


def fail_closed(close: Close) -> Callable[[Hook], Hook]:
    """Decorate a hook method: on any exception `close(addon, data)` makes the data unusable."""

    def decorate(hook: Hook) -> Hook:
        def failed(addon: Any, data: Any, error: Exception) -> None:
            log.error("hook %s failed", hook.__name__, exc_info=error)
            close(addon, data)

        if inspect.iscoroutinefunction(hook):

            @functools.wraps(hook)
            async def asynchronous(addon: Any, data: Any) -> None:
                try:
                    await hook(addon, data)
                except Exception as error:  # noqa: BLE001  (that is the point)
                    failed(addon, data, error)

            return asynchronous

        @functools.wraps(hook)
        def synchronous(addon: Any, data: Any) -> None:
            try:
                hook(addon, data)
            except Exception as error:  # noqa: BLE001  (that is the point)
                failed(addon, data, error)

        return synchronous

    return decorate
