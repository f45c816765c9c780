"""Pictures that a call names by URL, fetched once and put into the call for targets that want that (B-170)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wattline.base.errors import ClientFault
from wattline.dialects.crossing import native
from wattline.dialects.openai.image_urls import (
    find_image_urls,
    inline_images,
    unreadable_image,
)
from wattline.service.exchange import Exchange
from wattline.service.large import is_large, is_large_for
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.prompting import prompt_of
from wattline.upstream.image_policy import ImagePolicy, referer_of
from wattline.upstream.images import Images
from wattline.wire.pictures import ImageUrl, fields_of, image_urls


@dataclass(slots=True)
class Inlining:
    """Fetches within the operator's policy."""

    images: Images
    policy: ImagePolicy

    async def prepare(self, exchange: Exchange, passage: Passage) -> None:
        """Everything that this target's request needs is there afterwards. Raises ClientFault naming the
        field whose URL can't be had, CannotExpress.
        """
        if not exchange.call.images:
            return
        if passage.rewrites:
            if is_large_for(exchange, passage):
                wanted = await asyncio.to_thread(_named, exchange, passage)
            else:
                wanted = _named(exchange, passage)
            await self._fetch(exchange, wanted)
        elif native(exchange.call.dialect) == "openai" and exchange.inlined is None:
            if (field := unreadable_image(exchange.value)) is not None:
                raise ClientFault(
                    f"'{field}' is no picture's URL. Send an http or https URL, or a data: URL.",
                    code="invalid_image_url",
                    param=field,
                )
            if is_large(exchange.body):
                places = await asyncio.to_thread(find_image_urls, exchange.value)
            else:
                places = find_image_urls(exchange.value)
            await self._fetch(exchange, places)
            if exchange.pictures and isinstance(exchange.body, bytes):
                exchange.inlined = await asyncio.to_thread(
                    inline_images, exchange.body, places, exchange.pictures
                )

    async def _fetch(self, exchange: Exchange, wanted: tuple[ImageUrl, ...]) -> None:
        if exchange.pictures is None:
            exchange.pictures = await self.images.fetch_all(
                wanted,
                self.policy,
                referer_of(exchange.call.headers),
                exchange.request.header("authorization"),
            )


def _named(exchange: Exchange, passage: Passage) -> tuple[ImageUrl, ...]:
    """With the fields that the client gave: the prompt has places of its own. Raises CannotExpress."""
    wanted = image_urls(prompt_of(exchange, passage))
    fields = fields_of(exchange.value, (image.url for image in wanted)) if wanted else {}
    return tuple(ImageUrl(image.url, fields.get(image.url, image.param)) for image in wanted)
