"""Providers and tiers of the second gateway as a piece of rules.yaml. Keys become names of variables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from wattline.cli.importing.people import Refuse
from wattline.cli.importing.shapes import NAME
from wattline.rules.addresses import BadUrl, read_url

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MODEL: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._:+/-]{0,127}")
_ENDPOINTS: Final = re.compile(
    r"/(chat/completions|completions|responses|embeddings|messages|images/\w+|audio/\w+"
    r"|models(/.*)?|api/(chat|generate))/?$"
)
"""What a URL may end in that is no base."""
_HOSTS: Final = (
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("ollama.com", "ollama"),
)
_MODELS: Final = 2_000
_WINDOWS: Final = ("rps", "rpm", "rpd")


@dataclass(slots=True)
class Fragment:
    """Lines of YAML, and the variables that must be set: each with the provider whose key it stands for."""

    tiers: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _by_key: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The piece of rules.yaml; empty without any."""
        lines: list[str] = []
        if self.tiers:
            lines += ["tiers:", *self.tiers]
        if self.providers:
            lines += ["providers:", *self.providers]
        return "".join(f"{line}\n" for line in lines)

    def add_tiers(self, rows: list[tuple[str, Any]], refuse: Refuse) -> int:
        """How many were taken."""
        taken = 0
        for place, row in rows:
            name = row.get(NAME) if isinstance(row, dict) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                refuse(place, "its name has other characters than letters, digits and ._-")
                continue
            bounds = {word: _count(row.get(word)) for word in _WINDOWS}
            if wrong := [
                word for word in _WINDOWS if bounds[word] is None and row.get(word) is not None
            ]:
                refuse(place, f"{', '.join(wrong)}: no whole number above 0; left out")
            inside = ", ".join(f"{word}: {bound}" for word, bound in bounds.items() if bound)
            score = _score(row.get("min_provider_score"))
            inside += f", min_score: {score}" if score else ""
            self.tiers.append(f"  {json.dumps(name)}: {{{inside.removeprefix(', ')}}}")
            taken += 1
            if row.get("max_tokens") is not None or row.get("max_provider_score") is not None:
                self._note("tiers: max_tokens and max_provider_score have no counterpart")
        return taken

    def add_providers(self, rows: list[tuple[str, Any]], refuse: Refuse) -> int:
        """How many were taken."""
        taken = 0
        for place, row in rows:
            url, dialect = _base(row.get("provider_url")) if isinstance(row, dict) else (None, "")
            if url is None:
                refuse(place, "provider_url: no http or https URL that can be a base")
                continue
            name = self._name(row.get("id"), place)
            self.providers += [f"  {json.dumps(name)}:", f"    url: {json.dumps(url)}"]
            if dialect:
                self.providers.append(f"    dialect: {dialect}")
            self._add_key(row.get("apiKey"), name, place, refuse)
            if row.get("disabled") is True:
                self.providers.append("    enabled: false")
            self._add_models(row.get("models"), place, refuse)
            taken += 1
        self._note(
            "providers: statistics (times, errors, scores) are not taken over; new ones are kept"
        )
        return taken

    def _add_key(self, key: Any, name: str, place: str, refuse: Refuse) -> None:
        if not isinstance(key, str) or not key.strip():
            if key is not None:
                refuse(place, "apiKey: no text; taken without a key")
            return
        variable = self._by_key.get(key)
        if variable is None:
            variable = self._by_key[key] = self._variable(name)
            self.variables[variable] = name
        self.providers.append(f"    key: {json.dumps(f'${{{variable}}}')}")

    def _add_models(self, models: Any, place: str, refuse: Refuse) -> None:
        names = list(models) if isinstance(models, dict | list) else []
        sound = [
            one
            for one in names
            if isinstance(one, str) and _MODEL.fullmatch(one) and "${" not in one
        ]
        if len(sound) < len(names) or len(sound) > _MODELS:
            refuse(f"{place}.models", "some models have names that can't be, or there are too many")
        if sound:
            self.providers.append("    models:")
            self.providers += [
                f"      - {{id: {json.dumps(one)}}}" for one in sorted(set(sound))[:_MODELS]
            ]

    def _name(self, value: Any, place: str) -> str:
        made = re.sub(r"[^A-Za-z0-9._-]+", "-", value if isinstance(value, str) else "")
        made = made.strip("-._")[:48] or f"provider-{re.sub(r'[^0-9]', '', place) or '0'}"
        taken = {line.strip(' :"') for line in self.providers if line.startswith('  "')}
        return next(one for one in _numbered(made, "-") if one not in taken)

    def _variable(self, name: str) -> str:
        made = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
        made = f"{made if made[:1].isalpha() else f'PROVIDER_{made}'}_API_KEY"
        return next(one for one in _numbered(made, "_") if one not in self.variables)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _numbered(name: str, between: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}{between}{number}"
        number += 1


def _count(value: Any) -> int | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if whole and 1 <= value <= 10**9 and value == int(value) else None


def _score(value: Any) -> str:
    """From 0 to 100 there, from 0 to 1 here."""
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100
    return f"{round(value / 100, 4):g}" if sound else ""


def _base(value: Any) -> tuple[str | None, str]:
    """The base URL without user, query and endpoint, and its dialect where that is not OpenAI's."""
    if not isinstance(value, str) or len(value) > 1_000 or "${" in value:
        return None, ""
    try:
        parts = urlsplit(value.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None, ""
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
        return None, ""
    place = f"[{host}]" if ":" in host else host
    place = place if port is None else f"{place}:{port}"
    path = _ENDPOINTS.sub("", re.sub(r"[^!-~]|[{}]", "", parts.path))
    dialect = next((name for known, name in _HOSTS if host == known), "")
    base = urlunsplit((parts.scheme, place, path.rstrip("/"), "", ""))
    try:
        read_url(base)
    except BadUrl:
        return None, ""
    return base, dialect
