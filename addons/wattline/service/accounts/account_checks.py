"""What a user's id, address and key can be."""

from __future__ import annotations

import re

from wattline.base.errors import ClientFault
from wattline.service.accounts.account_faults import bad_value
from wattline.store.people import User
from wattline.wire.call import Role

_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


def check_user_id(user: str) -> None:
    """Raises ClientFault 400 for what can be no user's id."""
    if not _USER_ID.fullmatch(user):
        raise bad_value(
            "A user's id has letters, digits and ._@- only, and at most 64 of them.", "user"
        )


def check_email(text: str) -> str:
    """An address as it is kept. Raises ClientFault 400."""
    text = text.strip().lower()
    if not _EMAIL.fullmatch(text) or not text.isprintable():
        raise bad_value("This is no e-mail address.", "email")
    return text


def check_role(owner: User, role: Role) -> None:
    """Raises ClientFault 409 for an admin's key whose user is none."""
    if role is Role.ADMIN and owner.role is not Role.ADMIN:
        raise ClientFault(
            f"{owner.id} is no admin, so its key can't be one's.",
            status=409,
            code="not_an_admin",
            param="role",
        )
