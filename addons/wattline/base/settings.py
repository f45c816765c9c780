"""Process settings: the one place that reads the environment and the command line's choices.

What an operator decides about calls is in rules.yaml, not here.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_PORT = 65_535
CHECKOUT = Path(__file__).resolve().parents[3]
"""Where the code is, if it runs from a checkout."""


class SettingsError(ValueError):
    """A setting can't be used; the message names it, its value and what is wanted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. `host` and `port` are None when rules.yaml's `listen` decides."""

    rules: Path | None
    """rules.yaml to run; None: the one that ships in the package."""
    state: Path
    """Folder of the ledger, the lock and the CA; created with mode 0700."""
    host: str | None = None
    port: int | None = None
    """0 takes any free port."""
    log_level: str | None = None
    modes: tuple[str, ...] = ("regular",)
    """mitmproxy's proxy modes; `regular` serves forward and reverse use on one port."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment that rules.yaml's `${NAME}` references draw on."""


def read_settings(
    env: Mapping[str, str],
    *,
    cwd: Path,
    rules: Path | None = None,
    state: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    log_level: str | None = None,
    modes: tuple[str, ...] = ("regular",),
) -> Settings:
    """Settings from arguments first, then `WATTLINE_*`, then the names that other gateways use.

    Raises SettingsError.
    """
    return Settings(
        rules=_rules_file(rules, env, cwd),
        state=_state_folder(state, env, cwd),
        host=host or env.get("WATTLINE_HOST") or env.get("HOST") or None,
        port=port if port is not None else _port(env),
        log_level=log_level or env.get("WATTLINE_LOG_LEVEL") or env.get("LOG_LEVEL") or None,
        modes=modes,
        env=dict(env),
    )


def read_flag(env: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """A variable that is true or false. Raises SettingsError for another word."""
    word = env.get(name, "").strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    if word:
        raise SettingsError(f"{name} must be true or false, not {word[:40]!r}")
    return default


def _rules_file(chosen: Path | None, env: Mapping[str, str], cwd: Path) -> Path | None:
    source = ""
    if chosen is None and (named := env.get("WATTLINE_RULES", "")).strip():
        chosen, source = Path(named), " that WATTLINE_RULES names"
    if chosen is not None:
        if not chosen.is_file():
            why = "is no file" if chosen.exists() else "does not exist"
            where = "" if chosen.is_absolute() else f" in {cwd}"
            raise SettingsError(f"rules file {str(chosen)!r}{source} {why}{where}")
        return chosen.absolute()
    beside = cwd / "rules.yaml"
    return beside.absolute() if beside.is_file() else None


def _state_folder(chosen: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    if chosen is not None:
        return chosen.absolute()
    if (named := env.get("WATTLINE_STATE", "")).strip():
        return Path(named).absolute()
    # A checkout keeps its state beside its rules, wherever its commands are called from.
    for folder in (cwd, CHECKOUT):
        if (folder / "rules.yaml").is_file():
            if (folder / "state").is_dir():
                return (folder / "state").absolute()
            break
    # A relative one counts as not set: https://specifications.freedesktop.org/basedir-spec
    if Path(base := env.get("XDG_STATE_HOME", "")).is_absolute():
        return Path(base) / "wattline"
    return _home(env) / ".local" / "state" / "wattline"


def _home(env: Mapping[str, str]) -> Path:
    """The user's home, never the working folder: a ledger must not depend on where one stands."""
    if Path(home := env.get("HOME", "")).is_absolute():
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise SettingsError(
            "no state folder: HOME is not set; name one with --state or WATTLINE_STATE"
        ) from None


def _port(env: Mapping[str, str]) -> int | None:
    for name in ("WATTLINE_PORT", "PORT"):
        if text := env.get(name):
            if text.isascii() and text.isdigit() and int(text) <= MAX_PORT:
                return int(text)
            raise SettingsError(f"{name} is {text!r}; it must be a port from 0 to {MAX_PORT}")
    return None
