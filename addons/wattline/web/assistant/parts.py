"""What the assistant's pages are made of."""

from __future__ import annotations

from dataclasses import dataclass

from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.master import MasterToken
from wattline.service.accounts.referrals import Referrals
from wattline.service.accounts.user_tokens import UserTokens
from wattline.service.dialogs.completions import Completions
from wattline.service.dialogs.dialogs import Dialogs


@dataclass(frozen=True, slots=True)
class AssistantParts:
    """One of each service that they ask. `master` is None where no master token is set."""

    accounts: Accounts
    tokens: UserTokens
    referrals: Referrals
    dialogs: Dialogs
    completions: Completions
    master: MasterToken | None = None
