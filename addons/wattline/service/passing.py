"""A call that rules pass on: to the host that the client named, with the client's own key."""

from __future__ import annotations

from wattline.base.origin import AuthStyle, Origin
from wattline.rules.compiled.entrance import Limits
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.rules.compiled.target import Target
from wattline.wire.call import Call
from wattline.wire.http import Request


def patience(limits: Limits) -> Timeouts:
    """For a host that its client chose, and that has no timeouts in the rules: the client knows how long to wait, up to
    the call's deadline.
    """
    seconds = limits.deadline
    return Timeouts(first_byte=seconds, idle=seconds, total=seconds)


def passing_target(request: Request, call: Call, limits: Limits) -> Target:
    """The target that is the client's own destination. It has no credential of ours."""
    provider = Provider(
        name=request.host,
        dialect=call.dialect,
        origin=Origin(request.scheme, request.host, request.port),
        base_path="",
        auth=AuthStyle.NONE,
        credential=None,
        windows=(),
        timeouts=patience(limits),
    )
    return Target(provider, call.model, "pass")
