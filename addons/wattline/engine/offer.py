"""What a client could have asked for, when it asked for something that is not known."""

from __future__ import annotations

from wattline.rules.book import Book
from wattline.rules.names import MAX_NAMES
from wattline.wire.call import Call


def offer(call: Call, book: Book) -> dict[str, list[str]]:
    """`available_models`: those of the provider that the client named, else all names; with the
    `available_providers` where it named one that is not configured. At most MAX_NAMES of each.
    """
    if call.provider is None:
        return {"available_models": sorted(book.models)[:MAX_NAMES]}
    provider = book.names.provider(call.provider)
    if provider is not None:
        return {"available_models": list(book.names.offered(provider))}
    names = sorted(name for name, found in book.providers.items() if not found.demo)
    return {"available_models": [], "available_providers": names[:MAX_NAMES]}
