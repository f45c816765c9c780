"""What chats over a WebSocket are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattline.base.clock import Clock
from wattline.rules.book import Book
from wattline.service.accounts.directory import Current, Find, Read, nobody, unchanged
from wattline.service.answers import Answers
from wattline.service.entrance.guesses import Guesses
from wattline.web.ws.policy import SocketPolicy


@dataclass(frozen=True, slots=True)
class ChatParts:
    """`book` gives the rules of the moment, `keys` the keys that are not in them, `tokens` who a token is, `current` a
    caller as it is at this moment. `admin`: the pages for operators are not switched off.
    """

    answers: Answers
    book: Callable[[], Book]
    keys: Find
    clock: Clock
    policy: SocketPolicy
    tokens: Read = nobody
    guesses: Guesses | None = None
    """None: keys may be guessed."""
    current: Current = unchanged
    admin: bool = True
