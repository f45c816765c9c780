"""What the pages are made of: given by whoever puts the sidecar together."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.service.catalog.catalog import Catalog
from wattline.service.entrance.styles import Styles
from wattline.web.ws.parts import ChatParts


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each service that pages ask."""

    styles: Styles
    catalog: Catalog
    chats: ChatParts | None = None
    """None: nobody can chat at `/ws`."""
