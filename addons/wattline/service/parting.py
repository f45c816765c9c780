"""Faults of those who are left in the middle."""

from __future__ import annotations

import asyncio

from wattline.base.errors import Kind, OurFault


def shutting_down() -> OurFault:
    """The fault of a call that meets the sidecar's end."""
    return OurFault(
        "The sidecar is shutting down.",
        status=503,
        code="shutting_down",
        kind=Kind.UNAVAILABLE,
        retry_after=1,
    )


def ending() -> OurFault:
    """A message met the end of its provider's connection, of which the client is told."""
    return OurFault(
        "The provider's connection ended.",
        status=503,
        code="upstream_broke_off",
        kind=Kind.UNAVAILABLE,
    )


def uncancel() -> None:
    """The running task goes on after a cancellation: it has last words to say."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
