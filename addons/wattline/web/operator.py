"""Who may manage what is others': an admin's key, or the master token."""

from __future__ import annotations

from fastapi import Request

from wattline.base.errors import ClientFault, Kind
from wattline.service.accounts.master import QUERY, MasterToken
from wattline.web.asking import visitor
from wattline.wire.call import LOCAL, Principal, Role

MASTER = Principal("master", role=Role.ADMIN)


class Operators:
    """A dependency of pages: `Depends(operators.admin)`."""

    def __init__(self, master: MasterToken | None) -> None:
        self._master = master

    def admin(self, request: Request) -> Principal:
        """An admin by key, or whoever has the master token. Raises ClientFault 401, 403."""
        if self.master_said(request) is not None:
            return MASTER
        found = visitor(request).principal
        if found is not None and found.role is Role.ADMIN:
            return found
        if found is None or found is LOCAL:
            raise _unknown("an admin's key in Authorization: Bearer, or the master token")
        raise ClientFault(
            "This page is for admins; the key is a user's.",
            status=403,
            code="not_an_admin",
            kind=Kind.PERMISSION,
        )

    def master_said(self, request: Request) -> str | None:
        """The master token, if the request has it."""
        if self._master is None:
            return None
        said = [*request.query_params.getlist(QUERY), *_bearers(request)]
        return next((secret for secret in said if self._master.matches(secret)), None)


def _bearers(request: Request) -> list[str]:
    pairs = (value.partition(" ") for value in request.headers.getlist("authorization"))
    return [secret.strip() for scheme, _, secret in pairs if scheme.lower() == "bearer"]


def _unknown(needed: str) -> ClientFault:
    return ClientFault(
        f"This page needs {needed}.",
        status=401,
        code="invalid_api_key",
        kind=Kind.AUTHENTICATION,
    )
