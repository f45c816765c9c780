"""What can be heard and said: `GET /v1/audio/models` and `GET /v1/audio/voices` (B-029, B-030).

Providers don't tell which of their models are for sound, so their names do. The voices are those of OpenAI's speech:
https://platform.openai.com/docs/guides/text-to-speech#voice-options. A provider may have others.
"""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from wattline.service.catalog.catalog import Catalog
from wattline.service.catalog.entry import Entry
from wattline.web.asking import Caller, once, page
from wattline.web.lazy_route import LazyRoute

VOICES: Final = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable",
    "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
_SPEECH = re.compile(r"\b(?:tts|speech)|(?:tts|speech)\b|-audio\b", re.IGNORECASE)
_TRANSCRIPTION = re.compile(r"whisper|transcri|-audio\b", re.IGNORECASE)


class AudioPages:
    """Both lists, in OpenAI's form of a list."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(route_class=LazyRoute, dependencies=[Depends(once)])
        router.add_api_route("/v1/audio/models", self.models, methods=["GET"])
        router.add_api_route("/v1/audio/voices", self.voices, methods=["GET"])
        return router

    async def models(self, principal: Caller) -> Response:
        """Models for speech and for transcription, those that the caller can use now."""
        found = await self._catalog.models(principal)
        data = [
            {"id": entry.id, "object": "model", "owned_by": entry.provider, "capabilities": kinds}
            for entry in found
            if (kinds := capabilities(entry))
        ]
        return page({"object": "list", "data": data})

    async def voices(self) -> Response:
        """Names for `voice`."""
        data = [{"id": name, "object": "voice", "name": name.capitalize()} for name in VOICES]
        return page({"object": "list", "data": data})


def capabilities(entry: Entry) -> list[str]:
    """`speech`, `transcription`, both or none, by the model's names."""
    names = f"{entry.id} {entry.upstream}"
    kinds = (("speech", _SPEECH), ("transcription", _TRANSCRIPTION))
    return [kind for kind, pattern in kinds if pattern.search(names)]
