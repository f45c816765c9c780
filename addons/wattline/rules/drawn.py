"""What rules.yaml draws from the environment, and what that makes of its version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from wattline.rules.compiled.provider import Provider
from wattline.rules.environment import DEMO_URL


class Drawn(dict[str, str]):
    """The environment, which notes what was drawn from it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.seen: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """The value of a variable."""
        self.seen.add(name)
        return super().get(name, default)


def version_of(text: str, drawn: Drawn, providers: Iterable[Provider]) -> str:
    """Equal for the same file, the same variables set and the same base URLs. Whether a variable is set
    is all that is taken of it: it may be a key. The demo's port is ours and changes with each start.
    """
    names = sorted(drawn.seen - {DEMO_URL})
    demo = drawn.get(DEMO_URL).strip().rstrip("/")
    parts = [text, *(f"{name}={bool(drawn.get(name).strip())}" for name in names)]
    for provider in providers:
        place = f"{provider.origin}{provider.base_path}"
        parts.append(f"{provider.name} {'' if place == demo else place} {provider.unavailable}")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
