"""`POST /completions`: a message to a user's dialog, and the answer (A-021, A-022)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, params
from starlette.responses import Response

from wattline.base.ids import new_id
from wattline.service.accounts.account_checks import check_user_id
from wattline.service.dialogs.completions import Question
from wattline.service.entrance.visitor import Visitor
from wattline.web.asking import visitor
from wattline.web.assistant import described
from wattline.web.assistant.asked import Body
from wattline.web.assistant.dialogs import LONGEST_SYSTEM
from wattline.web.assistant.parts import AssistantParts
from wattline.web.assistant.telling import Telling
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.web.ws.request import request_of
from wattline.wire.call import Principal
from wattline.wire.http import Departure
from wattline.wire.http import Request as CallRequest

PATH: Final = "/completions"
LONGEST_MESSAGE: Final = 1_000_000
"""Characters of a message."""
LONGEST_MODEL: Final = 300
OPTIONS: Final = (
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "top_p",
)
"""Members of a chat request that go along as they are. Others are left out."""
_ASKED: Final = described.members(
    {
        "model": described.TEXT,
        "content": described.TEXT,
        "userId": {"type": ["string", "integer"]},
    },
    {"systemMessage": {"type": ["string", "null"]}, "stream": {"type": "boolean"}},
)
_TOLD: Final = {"description": "As OpenAI's chat completion, with usage.energy.", "type": "object"}

_FAULTS: Final = {
    404: "The model is not known.",
    429: "The user's balance, window or budget, the dialog's queue, or too many wrong credentials.",
    500: "All providers unavailable.",
}


class CompletionPages:
    """For holders of the master token, and admins. The user pays."""

    def __init__(self, parts: AssistantParts, operators: Operators) -> None:
        self._parts, self._operators = parts, operators

    def router(self, needed: Sequence[params.Depends]) -> APIRouter:
        """Their route; it depends on what is `needed`."""
        router = APIRouter(route_class=LazyRoute, dependencies=needed, tags=["dialogs"])
        told = described.route(dict(_TOLD), _ASKED, _FAULTS)
        router.add_api_route(PATH, self.complete, methods=["POST"], **told)
        return router

    async def complete(self, request: Request) -> Response:
        """Ask in a user's dialog; question and answer are added to it."""
        question = _question(await Body.read(request))
        master = self._operators.master_said(request)
        caller = await self._parts.tokens.principal(question.user, master)
        departure = Departure()
        make = _maker(visitor(request), request, caller, departure)
        return Telling(self._parts.completions.answer(question, make), departure)


def _question(body: Body) -> Question:
    """Raises ClientFault naming the member at fault."""
    user = body.user("userId")
    check_user_id(user)
    return Question(
        user=user,
        model=body.text("model", LONGEST_MODEL),
        content=body.text("content", LONGEST_MESSAGE),
        system=body.perhaps("systemMessage", LONGEST_SYSTEM),
        stream=body.flag("stream"),
        options={name: body.value[name] for name in OPTIONS if name in body.value},
    )


def _maker(
    who: Visitor, request: Request, caller: Principal, departure: Departure
) -> Callable[[bytes], CallRequest]:
    """Requests in the user's name. The first one has the id that the client is told."""
    raw, ids = request.scope["headers"], iter([who.id])

    def make(body: bytes) -> CallRequest:
        made = request_of(who, raw, caller, body)
        name = next(ids, None) or new_id("req")
        return replace(made, id=name, path=PATH, departure=departure)

    return make
