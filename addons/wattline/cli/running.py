"""Finding a sidecar that runs, and asking it how it is. Imports little: health checks are frequent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MARK = "sidecar.json"
MAX_MARK = 1_048_576
MAX_ANSWER = 65_536
TIMEOUT = 2.0
MAX_PORT = 65_535
OURS = "wattline.local"
"""The sidecar's own name: a tunnel to it leads nowhere else."""


class NoAnswer(Exception):
    """Nothing that is wattline answers there; the message says what happened instead."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a sidecar wrote about itself into its state folder. It holds names, never keys."""

    pid: int
    host: str
    port: int
    version: str
    rules: Path | None = None
    """Its rules file; None when it did not say."""
    rules_version: str | None = None
    providers: Mapping[str, str | None] = field(default_factory=dict)
    """Each provider, and why the sidecar can't use it; None when it can."""
    callers: frozenset[str] = frozenset()
    """Names under `auth.keys` whose key it has."""
    several_keys: frozenset[str] = frozenset()
    """Providers that it has several keys of."""

    @property
    def address(self) -> str:
        """`host:port` as it is written in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable_host(self) -> str:
        """The host to connect to: a listener on all addresses is asked on loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104  (a listener's address, not a bind)


def read_mark(state: Path) -> Running | None:
    """The sidecar that this folder speaks of; None when there is no mark or it makes no sense. It may
    have died without taking the mark away: ask it.
    """
    try:
        with (state / MARK).open("rb") as file:
            found = json.loads(file.read(MAX_MARK))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    host, port, pid = found.get("host"), found.get("port"), found.get("pid")
    if not isinstance(host, str) or type(port) is not int or type(pid) is not int:
        return None
    if not 0 < port <= MAX_PORT or pid <= 0:
        return None
    rules, rules_version = found.get("rules"), found.get("rules_version")
    return Running(
        pid,
        host,
        port,
        str(found.get("version")),
        Path(rules) if isinstance(rules, str) and "\0" not in rules else None,
        rules_version if isinstance(rules_version, str) else None,
        _reasons(found.get("providers")),
        _names(found.get("callers")),
        _names(found.get("several_keys")),
    )


def _reasons(found: Any) -> dict[str, str | None]:
    if not isinstance(found, dict):
        return {}
    return {
        name: reason for name, reason in found.items() if reason is None or isinstance(reason, str)
    }


def _names(found: Any) -> frozenset[str]:
    if not isinstance(found, list):
        return frozenset()
    return frozenset(name for name in found if isinstance(name, str))


def ask_health(host: str, port: int, timeout: float = TIMEOUT) -> Mapping[str, Any]:
    """The answer of `/health`. Never goes through a proxy. Raises NoAnswer."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = json.loads(answer.read(MAX_ANSWER))
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"{host}:{port}: {_reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"{host}:{port}: what answers there is not wattline") from error
    finally:
        connection.close()
    if not isinstance(body, dict) or not {"status", "uptime", "version"} <= body.keys():
        raise NoAnswer(f"{host}:{port}: what answers there is not wattline")
    return body


def lets_in(host: str, port: int, key: str | None, timeout: float = TIMEOUT) -> bool:
    """Whether the sidecar takes this key, or a caller without one, at its proxy. Raises NoAnswer."""
    from base64 import b64encode
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(host, port, timeout=timeout)
    said = b64encode(f"wattline:{key}".encode()).decode()
    connection.set_tunnel(OURS, 443, {"proxy-authorization": f"Basic {said}"} if key else {})
    try:
        connection.connect()
    except (OSError, HTTPException) as error:
        if "407" in str(error):
            return False
        raise NoAnswer(f"{host}:{port}: {_reason(error)}") from error
    finally:
        connection.close()
    return True


def find_running(state: Path, timeout: float = TIMEOUT) -> Running | None:
    """The sidecar of this state folder, if it answers."""
    running = read_mark(state)
    if running is None:
        return None
    try:
        ask_health(running.reachable_host, running.port, timeout)
    except NoAnswer:
        return None
    return running


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
