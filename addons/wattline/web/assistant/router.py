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


def assistant_routers(parts: AssistantParts) -> list[APIRouter]:
    """The routes of all pages."""
    operators = Operators(parts.master)
    needed = [Depends(operators.admin), Depends(once)]
    return [
        TokenPages(parts, operators).router(needed),
        DialogPages(parts).router(needed),
        CompletionPages(parts, operators).router(needed),
        ReferralPages(parts).router(needed),
    ]
