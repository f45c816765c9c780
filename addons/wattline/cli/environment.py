"""The environment that sends a program's model calls through a sidecar.

Two ways at once, since no single one reaches every client: proxy variables with a bundle of CAs, and
base URLs for SDKs. Node before 22.21 ignores proxy variables, so only its base URLs work; a program
with its own base URL is reached only through the proxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

PLACEHOLDER_KEY = "wattline"
"""SDKs refuse to start without a key; in open mode the sidecar does not look at it."""


class Via(StrEnum):
    """How a program's calls come to the sidecar."""

    PROXY = "proxy"
    BASE_URL = "base-url"
    BOTH = "both"


class BaseUrl(NamedTuple):
    """One SDK's base-URL variable: what follows the sidecar's address, and the key that belongs to it.
    `only_with` is a variable without which it is left alone.
    """

    variable: str
    path: str
    key: str | None
    only_with: str | None = None


BASE_URLS = (
    BaseUrl("OPENAI_BASE_URL", "/v1", "OPENAI_API_KEY"),
    BaseUrl("OPENAI_API_BASE", "/v1", "OPENAI_API_KEY"),
    BaseUrl("GROQ_BASE_URL", "", "GROQ_API_KEY"),
    # Claude Code without a key has a login of its own, which only the proxy can leave alone.
    BaseUrl("ANTHROPIC_BASE_URL", "", "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"),
    BaseUrl("GOOGLE_GEMINI_BASE_URL", "", "GEMINI_API_KEY"),
    # A local Ollama stays the program's own, unless rules.yaml's provider stands for it.
    BaseUrl("OLLAMA_HOST", "", None, "OLLAMA_BASE_URL"),
)
"""What the sidecar can answer. A dialect that it learns gets its line here."""

NEEDS_KEY = "OPENAI_API_KEY"
"""Set to a placeholder when it is missing."""

SIDECAR = "WATTLINE_SIDECAR"
"""The sidecar's URL: by it a wattline in such an environment tells our settings from the user's."""

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
DIRECT = ("localhost", "127.0.0.1", "::1")
"""Never through the proxy: programs talk to servers of their own."""

BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, so Python's ssl, httpx, curl; Bun, Codex
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CODEX_CA_CERTIFICATE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
)

_BETWEEN_HOSTS = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Door:
    """Where the sidecar listens, and what it takes to come in. `bundle` is only needed by proxies."""

    host: str
    port: int
    bundle: Path | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """`host:port` as a client on this machine writes it."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  (a listener's address, not a bind)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def variables(door: Door, via: Via, before: Mapping[str, str]) -> dict[str, str]:
    """What to set in an environment that is `before` now, in a stable order."""
    before = undone(before)
    found = {SIDECAR: f"http://{door.address}"}
    if via is not Via.BASE_URL:
        found |= _proxy(door, before)
    if via is not Via.PROXY:
        found |= _base_urls(door, before)
    return found


def undone(env: Mapping[str, str]) -> dict[str, str]:
    """`env` as it was before a sidecar's variables came into it, as far as that can be told: proxies,
    base URLs and the placeholder key. Bundles stay, they have the user's CAs in them.
    """
    address = env.get(SIDECAR, "").removeprefix("http://")
    if not address:
        return dict(env)
    ours = (f"http://{address}", f"@{address}")
    names = {*PROXY_VARIABLES, *(url.variable for url in BASE_URLS)}
    return {
        name: value
        for name, value in env.items()
        if name != SIDECAR
        and not (name in names and any(mark in value for mark in ours))
        and not (name == NEEDS_KEY and value == PLACEHOLDER_KEY)
    }


def warnings(via: Via, before: Mapping[str, str]) -> list[str]:
    """What a user should know of settings that get in each other's way; no values, they may be
    secret.
    """
    if via is Via.BASE_URL:
        return []
    before = undone(before)
    found = []
    if any(before.get(name) for name in PROXY_VARIABLES):
        found.append(
            "a proxy is set already (HTTP_PROXY or HTTPS_PROXY). The command gets wattline instead, "
            "and wattline connects directly: it does not chain proxies."
        )
    if "*" in _hosts(before):
        found.append("NO_PROXY is *: clients will use only the base URLs, not the proxy.")
    return found


def _proxy(door: Door, before: Mapping[str, str]) -> dict[str, str]:
    user = f"wattline:{quote(door.key, safe='')}@" if door.key else ""
    found = dict.fromkeys(PROXY_VARIABLES, f"http://{user}{door.address}")
    found |= dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(_hosts(before)))
    if door.bundle is not None:
        found |= dict.fromkeys(BUNDLE_VARIABLES, str(door.bundle))
    found["NODE_USE_ENV_PROXY"] = "1"  # Node 22.21, 24 and newer look at proxies only then
    return found


def _hosts(before: Mapping[str, str]) -> list[str]:
    """The hosts of both spellings of NO_PROXY and ours, each once."""
    written = f"{before.get('NO_PROXY', '')},{before.get('no_proxy', '')}"
    own = [host for host in _BETWEEN_HOSTS.split(written) if host]
    return list(dict.fromkeys([*own, *DIRECT]))


def _base_urls(door: Door, before: Mapping[str, str]) -> dict[str, str]:
    found = {
        url.variable: f"http://{door.address}{url.path}"
        for url in BASE_URLS
        if url.only_with is None or before.get(url.only_with)
    }
    for name in dict.fromkeys(url.key for url in BASE_URLS if url.key is not None):
        present = bool(before.get(name))
        if door.key and (present or name == NEEDS_KEY):
            found[name] = door.key
        elif not present and name == NEEDS_KEY:
            found[name] = PLACEHOLDER_KEY
    return found
