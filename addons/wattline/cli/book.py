"""rules.yaml read as the sidecar would read it, without a sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wattline.base.settings import Settings
from wattline.rules.book import Book
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.load import MAX_BYTES, load


@dataclass(frozen=True, slots=True)
class Rules:
    """A loaded file."""

    path: Path
    book: Book


def rules_path(settings: Settings) -> Path:
    """The file that settings mean."""
    if settings.rules is not None:
        return settings.rules
    from wattline.rules.packaged import packaged_rules

    return packaged_rules()


def rules_name(settings: Settings) -> str:
    """The file's name as a person here would write it."""
    path = rules_path(settings)
    here = Path.cwd()
    below = path.is_relative_to(here) and here != Path(here.anchor)
    return str(path.relative_to(here) if below else path)


def read_rules(settings: Settings) -> Rules:
    """Load the file. Raises RulesError, OSError."""
    return load_rules(settings, elsewhere=None)


def load_rules(settings: Settings, *, elsewhere: Elsewhere | None) -> Rules:
    """Load the file, with another process's availability of providers and callers if that is given.

    Raises RulesError, OSError.
    """
    path = rules_path(settings)
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    # Only a host and a port that both overrule the file are known before it is read.
    own = (settings.host, settings.port) if settings.host and settings.port else None
    name = rules_name(settings)
    return Rules(path, load(text, env=settings.env, name=name, own=own, elsewhere=elsewhere))
