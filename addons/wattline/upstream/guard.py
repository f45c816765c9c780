"""Which addresses the sidecar may connect to, and never its own door.

Two users: the forward proxy asks before each tunnel (`Guard.check_tunnel`) and connects to exactly
the addresses that were checked, so that a name can't mean something else a moment later; the pool of
provider connections asks only whether an address is one of the sidecar's own listeners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wattline.rules.compiled.entrance import Tunnel
from wattline.upstream.addresses import (
    Address,
    BadHost,
    Resolve,
    is_on_this_machine,
    read_address,
    read_host,
    system_resolve,
    why_not_public,
)

MAX_PORT = 65_535


class Forbidden(Exception):
    """A destination that no tunnel may reach: which rule refused it, and how to allow it."""


class Unresolved(Forbidden):
    """The name has no address: nothing to check, nothing to connect to."""


class Listeners:
    """The (address, port) pairs at which this sidecar listens.

    `here` tells whether an address belongs to this machine; a listener on `0.0.0.0` or `::` has them
    all.
    """

    def __init__(
        self,
        own: Iterable[tuple[str, int]] = (),
        *,
        here: Callable[[Address], bool] = is_on_this_machine,
    ) -> None:
        self._own: dict[int, list[Address]] = {}
        self._here = here
        for address, port in own:
            self.add(address, port)

    def add(self, address: str, port: int) -> None:
        """Another listener, as its socket names it. Raises ValueError for a host name."""
        self._own.setdefault(port, []).append(read_address(address))

    def owns(self, address: Address, port: int) -> bool:
        """Whether a connection to this address and port would come back to the sidecar."""
        own = self._own.get(port)
        if own is None:
            return False
        if address in own:
            return True
        if address.is_unspecified:
            return True
        return any(listener.is_unspecified for listener in own) and self._here(address)


class Guard:
    """Destinations of tunnels, by the `tunnel` section of rules.yaml.

    `tunnel` gives the section in force, so that a reload counts at once.
    """

    def __init__(
        self,
        tunnel: Callable[[], Tunnel],
        listeners: Listeners,
        *,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._tunnel = tunnel
        self._listeners = listeners
        self._resolve = resolve

    async def check_tunnel(self, host: str, port: int) -> list[str]:
        """The addresses to connect to instead of the name, in the resolver's order. Resolves once;
        one address that is not allowed refuses them all. Raises Forbidden.
        """
        tunnel = self._tunnel()
        try:
            wanted = read_host(host)
        except BadHost as error:
            raise Forbidden(f"{error}.") from None
        self._check_policy(tunnel, wanted, port)
        addresses = await self._addresses(wanted, port)
        for address in addresses:
            self._check_address(tunnel, wanted, address, port)
        return [str(address) for address in addresses]

    def _check_policy(self, tunnel: Tunnel, wanted: str | Address, port: int) -> None:
        """What can be said before a name is resolved."""
        if tunnel.policy == "none":
            raise Forbidden("tunnel.policy in rules.yaml is 'none': no tunnel is allowed.")
        if not 0 < port <= MAX_PORT or (port not in tunnel.ports and tunnel.policy != "any"):
            ports = ", ".join(str(allowed) for allowed in tunnel.ports) or "none"
            raise Forbidden(
                f"Port {port} of {wanted} is not among tunnel.ports in rules.yaml ({ports}); add it "
                "there to allow it."
            )
        if tunnel.policy == "listed" and not _is_listed(tunnel, wanted):
            raise Forbidden(
                f"{wanted} is not in tunnel.hosts in rules.yaml and tunnel.policy is 'listed'; add it "
                "to tunnel.hosts to allow it."
            )

    async def _addresses(self, wanted: str | Address, port: int) -> list[Address]:
        if not isinstance(wanted, str):
            return [wanted]
        try:
            found = [read_address(text) for text in await self._resolve(wanted, port)]
        except (OSError, ValueError, UnicodeError):
            found = []
        if not found:
            raise Unresolved(f"{wanted} has no address: the name can't be resolved.")
        return list(dict.fromkeys(found))

    def _check_address(
        self, tunnel: Tunnel, wanted: str | Address, address: Address, port: int
    ) -> None:
        """A name never brings an address with it that is not public: such an address must stand in
        tunnel.hosts itself, or whoever controls the name controls what we reach.
        """
        if self._listeners.owns(address, port):
            raise Forbidden(f"{wanted} port {port} is this sidecar itself; that is never allowed.")
        if tunnel.policy == "any":
            return
        reason = why_not_public(address)
        if reason is None or _is_listed(tunnel, address):
            return
        shown = "" if address == wanted else f" resolves to {address},"
        raise Forbidden(
            f"{wanted}{shown or ' is'} {reason}; add {address} to tunnel.hosts in rules.yaml to "
            "allow it."
        )


def _is_listed(tunnel: Tunnel, wanted: str | Address) -> bool:
    """An exact name or address, or `*.suffix` (which is not the suffix itself)."""
    if isinstance(wanted, str):
        names = [entry.lower().removesuffix(".") for entry in tunnel.hosts]
        return any(
            wanted == name or (name.startswith("*.") and wanted.endswith(name[1:]))
            for name in names
        )
    return any(_same_address(entry, wanted) for entry in tunnel.hosts)


def _same_address(entry: str, wanted: Address) -> bool:
    try:
        return read_address(entry.strip("[]")) == wanted
    except ValueError:
        return False
