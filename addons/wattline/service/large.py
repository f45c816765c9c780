"""What is too large to be worked on in the event loop: the other calls go on while a thread does it.

A thread costs a call some 0.1 ms, so small bodies stay in the loop.
"""

from __future__ import annotations

from typing import Final

from wattline.service.exchange import Exchange
from wattline.service.outgoing.passage import Passage

LARGE: Final = 256 * 1024
"""Bytes of JSON that are read, or edited in their place, in a few milliseconds."""
LARGE_TO_REWRITE: Final = 48 * 1024
"""The same for what is written anew: many small messages take 0.4 ms for each kB."""


def is_large(body: object) -> bool:
    """JSON that is too large to be read in the loop. Uploads stay in their files, and are no such."""
    return type(body) is bytes and len(body) > LARGE


def is_large_for(exchange: Exchange, passage: Passage | None) -> bool:
    """The client's body is too large for its request to be made in the loop."""
    body = exchange.body
    if type(body) is not bytes:
        return False
    anew = passage is not None and (passage.rewrites or passage.bridge is not None)
    return len(body) > (LARGE_TO_REWRITE if anew else LARGE)


def is_large_answer(body: bytes, passage: Passage | None) -> bool:
    """The provider's whole answer is too large to be read, and told again, in the loop."""
    return len(body) > (LARGE_TO_REWRITE if passage is not None and passage.foreign else LARGE)
