"""Where programs find the sidecar: the one that runs, else the one that would."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.base.settings import Settings
from wattline.cli.environment import BASE_URLS, Door, Via, undone
from wattline.cli.failure import FAILED, Failure, say
from wattline.cli.running import NoAnswer, find_running, lets_in

NAMED_BY = "--key or WATTLINE_KEY"


def find_door(settings: Settings, via: Via, key: str | None) -> Door:
    """The door of the running sidecar. When none runs, the configured one, and a line about it. Raises Failure where
    the one that runs does not take the key.
    """
    running = find_running(settings.state)
    own = shows_own(via, key, undone(settings.env))
    if running is not None:
        host, port = running.reachable_host, running.port
        if not own:
            check_key(Door(host, port, key=key), FAILED)
    else:
        host, port, keyed = _configured(settings)
        if keyed and key is None and not own:
            raise Failure(f"this sidecar will ask for a key: {NAMED_BY}")
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


def shows_own(via: Via, key: str | None, environ: Mapping[str, str]) -> bool:
    """A program in this environment may have a key of its own to show at base URLs."""
    own = key is None and via is not Via.PROXY
    return own and any(url.key and environ.get(url.key) for url in BASE_URLS)


def check_key(door: Door, code: int) -> None:
    """Ask the sidecar whether it takes the key, or a caller without one. Raises Failure with this code."""
    host, _, port = door.address.rpartition(":")
    try:
        if lets_in(host.strip("[]"), int(port), door.key):
            return
    except NoAnswer as error:
        raise Failure(f"the sidecar does not answer: {error}", code) from error
    what = f"does not take this key: {NAMED_BY}" if door.key else f"needs a key: {NAMED_BY}"
    raise Failure(f"this sidecar {what}", code)


def _configured(settings: Settings) -> tuple[str, int, bool]:
    """Where the sidecar would listen, and whether it would ask for keys."""
    from wattline.cli.book import read_rules

    book = read_rules(settings).book
    listen = book.listen
    port = settings.port if settings.port is not None else listen.port
    return settings.host or listen.host, port, book.auth.mode == "keys"
