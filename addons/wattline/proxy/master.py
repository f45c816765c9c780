"""Our own mitmproxy master: the few addons that a proxy needs, with safe options."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, override

from mitmproxy import http, options
from mitmproxy.addons import core, disable_h2c, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.net.http import url
from mitmproxy.proxy import mode_specs

from wattline.proxy.ca import CaFiles
from wattline.proxy.hooks import FlatAddons
from wattline.service.entrance.own_names import MAGIC_HOST

log = logging.getLogger(__name__)

AUTHORITIES = 256
"""Host headers whose check is remembered."""


class EdgeTlsConfig(tlsconfig.TlsConfig):
    """The stock addon, which makes the path of its revocation list anew for each request."""

    _crl_path: str | None = None

    @override
    def crl_path(self) -> str:
        if self._crl_path is None:
            self._crl_path = super().crl_path()
        return self._crl_path

    @override
    def configure(self, updated: set[str]) -> None:
        super().configure(updated)  # type: ignore[no-untyped-call]
        self._crl_path = None


class EdgeMaster(Master):
    """mitmproxy with a flat hook table."""

    def __init__(self, opts: options.Options) -> None:
        super().__init__(opts)
        self.addons.__class__ = FlatAddons
        self.addons.add(
            core.Core(),
            proxyserver.Proxyserver(),
            next_layer.NextLayer(),
            EdgeTlsConfig(),
            disable_h2c.DisableH2C(),
        )

    @property
    def flat(self) -> FlatAddons:
        """The hook table."""
        assert isinstance(self.addons, FlatAddons)  # noqa: S101  (set above)
        return self.addons

    @property
    def proxyserver(self) -> Any:
        """The stock addon that listens and knows the connections."""
        return self.addons.get("proxyserver")

    async def listen(self) -> tuple[str, int]:
        """Open the listeners; the first one's address. Raises OSError when a port is taken."""
        await self.proxyserver.setup_servers()
        for server in self.proxyserver.servers:
            if server.last_exception is not None:
                raise server.last_exception
        host, port, *_ = self.proxyserver.listen_addrs()[0]
        await self.running()
        return host, port

    async def deaf(self) -> None:
        """Stop listening; connections stay."""
        self.options.update(server=False)
        modes = [mode_specs.ProxyMode.parse(mode) for mode in self.options.mode]
        await self.proxyserver.servers.update(modes)

    def hang_up(self) -> list[Any]:
        """End every client connection; the tasks that do it."""
        tasks = []
        for handler in list(self.proxyserver.connections.values()):
            io = handler.transports.get(handler.client)
            if io is not None and io.handler is not None:
                io.handler.cancel("the sidecar stops")
                tasks.append(io.handler)
        return tasks


def make_options(
    *, host: str, port: int, modes: Sequence[str], ca: CaFiles, intercept: Iterable[str]
) -> options.Options:
    """mitmproxy's options as a sidecar must have them."""
    made = options.Options(
        listen_host=host,
        listen_port=port,
        mode=list(modes),
        confdir=str(ca.certificate.parent),
        ssl_insecure=False,
        allow_hosts=host_patterns(intercept, modes),
        http2=True,
        show_ignored_hosts=False,
    )
    trust(made, ca)
    return made


def trust(opts: options.Options, ca: CaFiles) -> None:
    """Verify what is passed on with the CAs that clients trust without us, unless others are set."""
    if not (opts.ssl_verify_upstream_trusted_ca or opts.ssl_verify_upstream_trusted_confdir):
        opts.update(ssl_verify_upstream_trusted_ca=str(ca.base))


def settle_options(opts: options.Options) -> None:
    """Options that the addons bring, set after they were added."""
    opts.update(
        connection_strategy="lazy",
        upstream_cert=False,
        validate_inbound_headers=True,
        store_streamed_bodies=False,
        keep_host_header=True,
    )


def host_patterns(intercept: Iterable[str], modes: Sequence[str]) -> list[str]:
    """`allow_hosts` patterns (they see `host:port`): all else is tunnelled undecrypted."""
    patterns = [_pattern(name) for name in (*intercept, MAGIC_HOST)]
    for mode in modes:
        spec = mode_specs.ProxyMode.parse(mode)
        if isinstance(spec, mode_specs.ReverseMode):
            patterns.append(_pattern(spec.address[0]))
    return patterns


def _pattern(name: str) -> str:
    if name.startswith("*."):
        return rf"(^|\.){re.escape(name[2:])}\.?:\d+$"
    return rf"^{re.escape(name)}\.?:\d+$"


def remember_authorities() -> None:
    """mitmproxy checks the host header of each request letter by letter; clients name few."""
    if not hasattr(url.parse_authority, "cache_info"):
        url.parse_authority = lru_cache(AUTHORITIES)(url.parse_authority)


def skip_type_checks() -> None:
    """mitmproxy checks the types of all fields of each message it makes: a self-check of its own code
    under `if __debug__`, and 8 % of a call. `python -O` would leave it out too, with every assert.
    """
    http.MessageData.__post_init__ = lambda _: None  # type: ignore[method-assign]
