"""What a caller may ask for: its key must still be valid, and the model one of the key's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from wattline.base.errors import ClientFault, Kind
from wattline.engine.spending import Reserved, Spending
from wattline.engine.windows import Claim
from wattline.rules.book import Book
from wattline.rules.compiled.entrance import Auth
from wattline.rules.compiled.window import GLOBAL_KEY, Scope
from wattline.service.accounts.auth import still_named
from wattline.service.accounts.directory import Current
from wattline.service.entrance.addresses import counted_as
from wattline.wire.call import LOCAL, Call, Operation, Principal
from wattline.wire.http import Request


def still_let_in(request: Request, current: Current, auth: Auth) -> Request:
    """The request with its caller as it is now: its connection may be older, and the rules newer than when
    its head came. Raises ClientFault 401.
    """
    caller = request.principal
    if caller is None or (caller.key is None and caller.session is None):
        named = still_named(auth, LOCAL if caller is None else caller)
        if named is None:
            raise _refused(
                "This sidecar needs a wattline key now, and this connection has shown none that it knows. "
                "Connect again with one."
            )
        return request if caller in (None, named) else replace(request, principal=named)
    ended = caller.session is not None and auth.mode == "keys"
    found = None if ended else current(caller)
    if found is None:
        raise _refused(
            "The key of this connection is no longer valid: expired, disabled or replaced. Connect again with another."
        )
    return request if found is caller else replace(request, principal=found)


def _refused(message: str) -> ClientFault:
    return ClientFault(message, status=401, code="invalid_api_key", kind=Kind.AUTHENTICATION)


def check_model(call: Call) -> None:
    """Raises ClientFault 403 for a model that the caller's key is not for."""
    allowed = call.principal.models
    if allowed is None or call.operation is Operation.LOOKUP or allowed.matches(call.model):
        return
    raise ClientFault(
        f"This key may not call the model {call.model[:200]!r}. Ask whoever made it, or see `wattline keys show`.",
        status=403,
        code="model_not_allowed",
        kind=Kind.PERMISSION,
        param="model",
    )


def caller_claims(call: Call, peer: str, book: Book) -> list[Claim]:
    """A slot in each window over callers, those of the caller's tier included."""
    keys = {
        Scope.PRINCIPAL: call.principal.id,
        Scope.ADDRESS: counted_as(peer),
        Scope.GLOBAL: GLOBAL_KEY,
    }
    windows = book.windows_over(call.principal.tier)
    return [Claim(window, keys[window.scope], 1, call.tokens) for window in windows]


def reserve(
    spending: Spending, caller: Principal, micro: int, now: float, *, owed: bool = False
) -> Reserved | None:
    """Hold what an attempt may cost in the budgets of the caller's key. `owed`: it can't be refused any
    more. Raises ClientFault 429.
    """
    if caller.key is None:
        return None
    held = spending.reserve(caller.key, caller.budgets, micro, now, owed=owed)
    if isinstance(held, Reserved):
        return held
    raise ClientFault(
        f"The key's budget is used up: {energy_text(held.spent)} of {energy_text(held.limit)} energy in "
        f"its last {held.span}, and this call may cost {energy_text(micro)}.",
        status=429,
        code="budget_exceeded",
        kind=Kind.RATE_LIMIT,
        retry_after=held.retry_after,
    )


def energy_text(micro: int) -> str:
    """Micro-units as a number of energy."""
    return f"{Decimal(micro).scaleb(-6).normalize():f}"
