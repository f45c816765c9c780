"""`/api/v1/auth`: register, login, refresh, another password (E-040 to E-042)."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Fault, Kind
from wattline.rules.addresses import is_loopback
from wattline.service.accounts.logins import Logins
from wattline.service.accounts.passwords import LEAST, MOST
from wattline.store.people import User
from wattline.web.asking import caller, once, page, visitor
from wattline.web.gateway.body import Fields, wrong
from wattline.web.gateway.described import asked, shape, text, told
from wattline.web.gateway.pace import Pace
from wattline.web.lazy_route import LazyRoute
from wattline.web.operator import Operators
from wattline.wire.call import Principal, Role

MAX_EMAIL, MAX_NAME, MAX_TIER = 254, 100, 64
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What proxies add to a request."""
_USER = shape(id="string", email="string", name="string")
_TEXT = {"type": "string"}
_TOKEN = {
    "type": "object",
    "required": ["token"],
    "properties": {"token": _TEXT, "expiresIn": _TEXT},
}
_PASSWORD = text(LEAST, MOST)
_EMAIL = text(3, MAX_EMAIL)


class LoginPages:
    """Ten requests a minute from each address, all of these pages together (E-081)."""

    def __init__(
        self, logins: Logins, operators: Operators, clock: Clock, wrong: Callable[[str], None]
    ) -> None:
        self._logins, self._operators, self._wrong = logins, operators, wrong
        self._pace = Pace("authentication", clock)

    def router(self) -> APIRouter:
        """Its routes."""
        router = APIRouter(
            route_class=LazyRoute,
            prefix="/api/v1/auth",
            dependencies=[Depends(once)],
            tags=["auth"],
        )
        router.add_api_route(
            "/register",
            self.register,
            methods=["POST"],
            status_code=201,
            summary="Become a user",
            responses=told(201, shape(user=_USER), 400, 403, 409, 413, 415, 429, 503),
            openapi_extra=asked(
                email=_EMAIL,
                password=_PASSWORD,
                name=text(0, MAX_NAME, needed=False),
                tier=text(0, MAX_TIER, needed=False),
            ),
        )
        router.add_api_route(
            "/login",
            self.login,
            methods=["POST"],
            summary="Get a token for a password",
            responses=told(
                200,
                _TOKEN | {"required": ["token", "expiresIn"]},
                400,
                401,
                403,
                413,
                415,
                429,
                503,
            ),
            openapi_extra=asked(email=_EMAIL, password=text(1, MOST)),
        )
        router.add_api_route(
            "/refresh",
            self.refresh,
            methods=["POST"],
            summary="Get a new token for one that is valid",
            responses=told(200, _TOKEN, 400, 401, 403, 413, 429, 503),
        )
        router.add_api_route(
            "/password",
            self.password,
            methods=["POST"],
            summary="Change a password, which ends all tokens",
            responses=told(200, {"type": "object"}, 400, 401, 403, 404, 413, 415, 429, 503),
            openapi_extra=asked(
                currentPassword=text(0, MOST, needed=False),
                newPassword=_PASSWORD,
                email=text(0, MAX_EMAIL, needed=False),
            ),
        )
        return router

    async def register(self, request: Request) -> Response:
        """A new user, with a token of its own; none when an admin made it for somebody else."""
        self._pace.take_address(visitor(request).peer)
        fields = await Fields.of(request)
        email, password = fields.text("email", MAX_EMAIL), fields.text("password", MOST)
        name, admin = fields.line("name", MAX_NAME), self._is_admin(request)
        tier = fields.line("tier", MAX_TIER) or None
        if tier is not None and not admin:
            raise wrong("tier", "is for admins to give")
        user = await self._logins.register(
            email, password, name, admin=admin, near=_is_near(request), tier=tier
        )
        told: dict[str, object] = {"user": _told(user)}
        if not admin:
            told["token"] = self._logins.issue(user)
        return page(told, 201)

    async def login(self, request: Request) -> Response:
        """A token, and how long it counts."""
        peer = visitor(request).peer
        self._pace.take_address(peer)
        fields = await Fields.of(request)
        email, password = fields.text("email", MAX_EMAIL), fields.text("password", MOST)
        try:
            token = await self._logins.login(email, password)
        except ClientFault as fault:
            if fault.status == 401:
                self._wrong(peer)
            raise
        return page({"token": token, "expiresIn": self._logins.tokens.lifetime.text})

    async def refresh(self, request: Request) -> Response:
        """A new token; no later than 30 days after the login another login is needed."""
        self._pace.take_address(visitor(request).peer)
        return page({"token": self._logins.refresh(_bearer(request))})

    async def password(self, request: Request) -> Response:
        """Another password for the caller, or by an admin for the user with an e-mail address."""
        self._pace.take_address(visitor(request).peer)
        fields = await Fields.of(request)
        new = fields.text("newPassword", MOST)
        if fields.has("email"):
            self._operators.admin(request)
            user = await self._logins.reset_password(fields.text("email", MAX_EMAIL), new)
            return page({"user": _told(user)})
        user, current = self._own(caller(request)), fields.text("currentPassword", MOST)
        return page({"token": await self._logins.change_password(user, current, new)})

    def _own(self, principal: Principal) -> User:
        if principal.user is None:
            raise no_account()
        return self._logins.accounts.user(principal.user)

    def _is_admin(self, request: Request) -> bool:
        try:
            return self._operators.admin(request).role is Role.ADMIN
        except Fault:
            return False


def no_account() -> ClientFault:
    """403 for a caller of rules.yaml, or of open mode."""
    return ClientFault(
        "This is for users with an account: log in, or use a key of a user.",
        status=403,
        code="no_account",
        kind=Kind.PERMISSION,
    )


def _is_near(request: Request) -> bool:
    """It comes from this machine, and no proxy says that it passed on somebody else's."""
    passed_on = any(name in request.headers for name in _PASSED_ON)
    return not passed_on and is_loopback(visitor(request).peer)


def _bearer(request: Request) -> str | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _told(user: User) -> dict[str, object]:
    return {"id": user.id, "email": user.email, "name": user.name}
