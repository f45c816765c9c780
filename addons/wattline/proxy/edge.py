"""What the HTTP layers need from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitmproxy.proxy import commands

from wattline.base.errors import Fault
from wattline.dialects.base import Route
from wattline.proxy.head import HeadLimits
from wattline.proxy.local import LocalFace
from wattline.proxy.pending import Pending
from wattline.service.sockets.inbox import Inbox
from wattline.service.watching.carried import Carried
from wattline.wire.http import Items, Request, Whole

if TYPE_CHECKING:
    from wattline.proxy.delivery import Answer, Delivery

Converse = Callable[[Request, Route, Inbox], Items]
"""The service for WebSockets: one whole refusal, or a head with 101 and bytes for the client."""


@dataclass(slots=True)
class Edge:
    """What the layers need from outside, given to each of them when it is put in."""

    answer: Answer
    converse: Converse
    begin: Callable[[Delivery], None]
    """Starts a call on its connection."""
    internal_error: Callable[[], Whole]
    """The answer for a flow that nobody admitted."""
    render: Callable[[Fault, str], Whole]
    """A fault and the request's id as an answer."""
    head_limits: Callable[[], HeadLimits]
    pending: Pending
    run_inline: Callable[[commands.StartHook], bool]
    """Runs a hook if all its handlers are synchronous, and says whether it did."""
    refused: Callable[[str, str, str, Fault], None] = lambda *_: None
    """Notes a request that was refused for its body: its id, method and path."""
    local: LocalFace | None = None
    keeps_bodies: bool = True
    """Other addons may want to see what was asked, as long as a flow lives."""
    prove: Callable[[str, str, int], Carried | None] = lambda *_: None
    """The record of a request that is passed on: its id, host and port."""
    proved: Callable[[Carried], None] = lambda _: None
    """Gets that record when it is over."""
