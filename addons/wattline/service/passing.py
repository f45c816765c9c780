"""A call that rules pass on: to the host that the client named, with the client's own key."""

from __future__ import annotations

from wattline.base.origin import AuthStyle, Origin
from wattline.rules.book import Provider, Target, Timeouts
from wattline.wire.call import Call
from wattline.wire.http import Request


def passing_target(request: Request, call: Call) -> Target:
    """The target that is the client's own destination. It has no credential of ours."""
    provider = Provider(
        name=request.host,
        dialect=call.dialect,
        origin=Origin(request.scheme, request.host, request.port),
        base_path="",
        auth=AuthStyle.NONE,
        credential=None,
        windows=(),
        timeouts=Timeouts(),
    )
    return Target(provider, call.model, "pass")
