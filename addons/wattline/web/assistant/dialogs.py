"""`/dialog` and `/system-message`: what is kept of users' conversations (A-028, A-029, A-063)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request, params
from starlette.responses import Response

from wattline.base.errors import ClientFault, Kind
from wattline.web.asking import page
from wattline.web.assistant import described
from wattline.web.assistant.asked import Body, UserId
from wattline.web.assistant.parts import AssistantParts
from wattline.web.lazy_route import LazyRoute

LONGEST_SYSTEM: Final = 100_000
"""Characters of a system message."""
_DONE: Final = {"type": "boolean", "const": True}
_MESSAGE: Final = described.members(
    {"role": {"enum": ["user", "assistant"]}, "content": described.TEXT}
)
_DIALOG: Final = described.members(
    {"name": described.TEXT, "messages": {"type": "array", "items": _MESSAGE}}
)
_SYSTEM: Final = described.members({"userId": described.TEXT, "systemMessage": described.TEXT})
_CLEARED: Final = described.members({"cleared": _DONE})
_DELETED: Final = described.members({"deleted": _DONE})
_SET: Final = described.members(
    {"userId": {"type": ["string", "integer"]}, "message": described.TEXT}
)


class DialogPages:
    """For holders of the master token, and admins."""

    def __init__(self, parts: AssistantParts) -> None:
        self._dialogs = parts.dialogs

    def router(self, needed: Sequence[params.Depends]) -> APIRouter:
        """Their routes; all depend on what is `needed`."""
        told = described.route
        router = APIRouter(route_class=LazyRoute, dependencies=needed, tags=["dialogs"])
        router.add_api_route("/dialog", self.read, methods=["GET"], **told(_DIALOG))
        router.add_api_route("/dialog", self.clear, methods=["DELETE"], **told(_CLEARED))
        path, none = "/system-message", {404: "The user has no system message."}
        router.add_api_route(path, self.system, methods=["GET"], **told(_SYSTEM, None, none))
        router.add_api_route(path, self.set_system, methods=["PUT"], **told(_SYSTEM, _SET))
        router.add_api_route(path, self.set_system, methods=["POST"], **told(_SYSTEM, _SET))
        router.add_api_route(
            path, self.drop_system, methods=["DELETE"], **told(_DELETED, None, none)
        )
        return router

    async def read(self, user: UserId) -> Response:
        """A user's dialog, oldest message first."""
        dialog = await self._dialogs.read(user)
        messages = [{"role": m.role, "content": m.content} for m in dialog.messages]
        return page({"name": user, "messages": messages})

    async def clear(self, user: UserId) -> Response:
        """Forget a user's dialog."""
        await self._dialogs.clear(user)
        return page({"cleared": True})

    async def system(self, user: UserId) -> Response:
        """A user's own system message."""
        found = (await self._dialogs.read(user)).system
        if found is None:
            raise _missing(user)
        return page({"userId": user, "systemMessage": found})

    async def set_system(self, request: Request) -> Response:
        """Keep a system message for completions of a user that bring none."""
        body = await Body.read(request)
        user = body.user("userId")
        content = body.perhaps("systemMessage", LONGEST_SYSTEM)
        content = content or body.text("message", LONGEST_SYSTEM)
        await self._dialogs.set_system(user, content)
        return page({"userId": user, "systemMessage": content})

    async def drop_system(self, user: UserId) -> Response:
        """Forget it."""
        if not await self._dialogs.drop_system(user):
            raise _missing(user)
        return page({"deleted": True})


def _missing(user: str) -> ClientFault:
    return ClientFault(
        f"{user} has no system message.",
        status=404,
        code="system_message_not_found",
        kind=Kind.NOT_FOUND,
    )
