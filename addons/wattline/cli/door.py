"""Where programs find the sidecar: the one that runs, else the one that would."""

from __future__ import annotations

from wattline.base.settings import Settings
from wattline.cli.environment import Door, Via
from wattline.cli.failure import say
from wattline.cli.running import find_running


def find_door(settings: Settings, via: Via, key: str | None) -> Door:
    """The door of the running sidecar. When none runs, the configured one, and a line about it."""
    running = find_running(settings.state)
    if running is not None:
        host, port = running.reachable_host, running.port
    else:
        host, port = _configured(settings)
        say(f"no sidecar runs yet; start it with `wattline serve`. This is for {host}:{port}.")
    if via is Via.BASE_URL:
        return Door(host, port, key=key)
    from wattline.proxy.ca import ensure_ca
    from wattline.store.folder import prepare

    prepare(settings.state)
    folder = settings.state / "ca"
    new = not folder.exists()
    bundle = ensure_ca(folder, settings.env).bundle
    if new:
        say(f"there was no CA: made one in {folder}")
    return Door(host, port, bundle, key)


def _configured(settings: Settings) -> tuple[str, int]:
    from wattline.cli.book import read_rules

    listen = read_rules(settings).book.listen
    port = settings.port if settings.port is not None else listen.port
    return settings.host or listen.host, port
