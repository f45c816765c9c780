"""Who may call: callers' keys and tiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from wattline.base.ids import hash_secret
from wattline.rules.addresses import is_loopback
from wattline.rules.compiled.callers import CallerTier
from wattline.rules.compiled.entrance import Auth, Listen
from wattline.rules.compiled.window import Scope, Window
from wattline.rules.report import Report
from wattline.rules.shapes.callers import TierShape
from wattline.rules.shapes.entrance import AuthShape

MIN_KEY = 16
"""Characters of a caller's key, below which it can be guessed."""
GUESSED = frozenset(
    {"changeme", "secret", "password", "admin", "test", "token", "sk-1234", "sk-test"}
)


def compile_auth(
    shape: AuthShape, env: Mapping[str, str], report: Report, callers: frozenset[str]
) -> Auth:
    """Callers by their keys' hashes. `callers` have theirs in another process: their names stand in."""
    keys: dict[str, str] = {}
    tiers: dict[str, str] = {}
    for name, caller in shape.keys.items():
        path = ("auth", "keys", name)
        variable = " or ".join(caller.key.names)
        secret = caller.key.read(env)
        if secret is None and name in callers:
            secret = f"the key of {name} is known elsewhere"
        if secret is None:
            report.doubtful(path, f"{name} can't call: {variable} is not set")
            continue
        if secret.lower() in GUESSED:
            report.wrong(path, f"{variable} holds a well-known value: take a random key")
        elif len(secret) < MIN_KEY:
            report.doubtful(path, f"{variable} is shorter than {MIN_KEY} characters")
        if (other := keys.get(hash_secret(secret))) is not None:
            report.wrong(path, f"{name} and {other} have the same key: it must tell who calls")
        keys[hash_secret(secret)] = name
        if caller.tier is not None:
            tiers[name] = caller.tier
    if shape.keys and not keys:
        text = (
            "none of these keys is set: set one, or leave `keys` out and use `wattline keys create`"
        )
        report.wrong(("auth", "keys"), text)
    admins = frozenset(name for name, caller in shape.keys.items() if caller.role == "admin")
    return Auth(
        shape.mode, MappingProxyType(keys), MappingProxyType(tiers), admins, shape.wrong_per_minute
    )


_HOSTS = ("WATTLINE_HOST", "HOST")
"""Variables that say where to listen, the first that is set; an option comes before both."""
_REACHED = (
    "can be reached by others, and `auth: {mode: open}` lets everybody call: "
    "listen on 127.0.0.1 or use `auth: {mode: keys}`"
)


def check_open(
    auth: Auth, listen: Listen, written: Listen, env: Mapping[str, str], report: Report
) -> None:
    """Where everybody may call, only this machine may reach us. `written` is what the file says."""
    if auth.mode != "open" or is_loopback(listen.host):
        return
    text = f"{listen.host} {_REACHED}"
    if listen.host == written.host:
        report.wrong(("listen", "host"), text)
        return
    named = (name for name in _HOSTS if env.get(name) == listen.host)
    report.outside(f"{next(named, '--host')}: {text}")


def compile_tiers(shapes: Mapping[str, TierShape]) -> Mapping[str, CallerTier]:
    """Tiers of callers by name."""
    return MappingProxyType(
        {name: CallerTier(tuple(_tier_windows(name, s)), s.min_score) for name, s in shapes.items()}
    )


def _tier_windows(name: str, shape: TierShape) -> Iterator[Window]:
    """Their names have a space, which no window of the file can have."""
    spans = (("second", 1.0, shape.rps, None), ("minute", 60.0, shape.rpm, shape.tpm),
             ("hour", 3_600.0, shape.rph, None), ("day", 86_400.0, shape.rpd, None))  # fmt: skip
    for span, per, calls, tokens in spans:
        if calls is not None or tokens is not None:
            yield Window(f"{name} per {span}", per, calls, tokens, Scope.PRINCIPAL)
