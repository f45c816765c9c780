"""Which hosts are ours, and what else may be reached."""

from __future__ import annotations

from wattline.rules.compiled.entrance import Tunnel
from wattline.rules.report import Report
from wattline.rules.shapes.entrance import InterceptShape, TunnelShape


def compile_intercept(items: list[str | InterceptShape], report: Report) -> tuple[str, ...]:
    """Each host once. One that stands twice is told of."""
    hosts = [item if isinstance(item, str) else item.host for item in items]
    for index, host in enumerate(hosts):
        if host in hosts[:index]:
            report.doubtful(("intercept", index), f"{host} is in this list already")
    return tuple(dict.fromkeys(hosts))


def open_hosts(items: list[str | InterceptShape]) -> tuple[str, ...]:
    """Those whose calls go on untouched where our own code fails."""
    chosen = (item for item in items if isinstance(item, InterceptShape))
    return tuple(dict.fromkeys(item.host for item in chosen if item.on_error == "pass"))


def compile_tunnel(shape: TunnelShape) -> Tunnel:
    """What the forward proxy may reach beside them."""
    return Tunnel(shape.policy, tuple(shape.hosts), tuple(shape.ports))
