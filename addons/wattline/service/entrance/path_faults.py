"""What is told of paths that lead nowhere."""

from __future__ import annotations

from wattline.base.errors import ClientFault, Kind, wrong_method
from wattline.dialects.table import known


def unknown_path(method: str, path: str) -> ClientFault:
    """Nothing is there, or nothing for this method."""
    nearest = known(path)
    if nearest == path:
        return wrong_method(f"{path} takes POST, not {method}.", ("POST",))
    hint = f" Did you mean {nearest}?" if nearest else ""
    if path.startswith("/v1/v1/"):
        hint = " /v1 is in it twice: leave it out of the base URL."
    return _not_found(path, f".{hint}")


def closed_path(path: str) -> ClientFault:
    """The operator switched it off."""
    return _not_found(path, ": its routes are switched off.")


def ambiguous_path() -> ClientFault:
    """It has no one plain form."""
    return ClientFault(
        "The path has '..', '//', an encoded slash or another form that could be read in two "
        "ways. Send it plain, for example /v1/chat/completions.",
        code="ambiguous_path",
    )


def _not_found(path: str, why: str) -> ClientFault:
    return ClientFault(
        f"There is no {path[:200]!r} here{why}",
        status=404,
        code="unknown_path",
        kind=Kind.NOT_FOUND,
    )
