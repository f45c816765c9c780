"""What chats over a WebSocket are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.rules.book import Book
from wattline.service.accounts.directory import Find
from wattline.service.answers import Answers
from wattline.web.ws.policy import SocketPolicy


@dataclass(frozen=True, slots=True)
class ChatParts:
    """`book` gives the rules of the moment, `keys` the keys that are not in them."""

    answers: Answers
    book: Callable[[], Book]
    keys: Find
    clock: Clock
    policy: SocketPolicy
