"""`wattline health`: how the sidecar is. Imports little: containers ask every few seconds."""

from __future__ import annotations

import json
from pathlib import Path

from wattline.cli.failure import FAILED, Failure
from wattline.cli.running import MAX_PORT, NoAnswer, Running, ask_health, read_mark
from wattline.cli.wrong_value import wrong_value

HEALTHY = "healthy"


def health(state: Path, address: str | None, *, as_json: bool = False, quiet: bool = False) -> int:
    """Ask and tell; 0 when healthy, else 1. Raises Failure when nothing answers."""
    running = None if address is not None else _marked(state)
    if running is None:
        host, port = _parse(address or "")
    else:
        host, port = running.reachable_host, running.port
    try:
        found = ask_health(host, port)
    except NoAnswer as error:
        raise Failure(str(error)) from error
    status = str(found["status"])
    well = status == HEALTHY
    if as_json:
        print(json.dumps(dict(found)))
    elif not (quiet and well):
        reason = f": {found['reason']}" if found.get("reason") else ""
        print(f"{status}{reason}, {host}:{port}, version {found['version']}")
        if running is not None:
            _print_out(state, running)
    return 0 if well else FAILED


def _print_out(state: Path, running: Running) -> None:
    """What is off or rests is no reason to be unhealthy, but one to be told of."""
    from wattline.cli.parked import parked_lines
    from wattline.cli.resting import noted
    from wattline.cli.terminal import safe

    ledger = state / "ledger.sqlite"
    rests = noted(ledger, running.rules_version, running.several_keys)
    for line in (*parked_lines(ledger), *map(str, rests)):
        print(safe(line))


def _marked(state: Path) -> Running:
    running = read_mark(state)
    if running is None:
        raise Failure(f"no sidecar runs with the state folder {state}")
    return running


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= MAX_PORT):
        raise wrong_value(
            "--address", address, "is no address: write host:port, with a port from 1 to 65535"
        )
    return host.strip("[]"), int(port)
