"""All of the assistant's routes. Each needs the master token, or an admin's key (A-027, A-030)."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from wattline.web.asking import once
from wattline.web.assistant.completions import CompletionPages
from wattline.web.assistant.dialogs import DialogPages
from wattline.web.assistant.parts import AssistantParts
from wattline.web.assistant.referrals import ReferralPages
from wattline.web.assistant.tokens import TokenPages
from wattline.web.operator import Operators


def assistant_router(parts: AssistantParts) -> APIRouter:
    """One router for all."""
    operators = Operators(parts.master)
    router = APIRouter(dependencies=[Depends(operators.admin), Depends(once)])
    for pages in (
        TokenPages(parts, operators),
        DialogPages(parts),
        CompletionPages(parts, operators),
        ReferralPages(parts),
    ):
        router.include_router(pages.router())
    return router
