"""What a test asks of a model, and what it heard: the same for every SDK."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Protocol

TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)


@dataclass(frozen=True)
class User:
    text: str
    image: str | None = None
    """Base64 of a PNG."""


@dataclass(frozen=True)
class Model:
    text: str = ""
    calls: tuple[tuple[str, str, dict], ...] = ()
    """(id, name, arguments)."""


@dataclass(frozen=True)
class Results:
    results: tuple[tuple[str, str, str], ...]
    """(id of the call, name of the tool, text)."""


@dataclass(frozen=True)
class Ask:
    turns: tuple[User | Model | Results, ...] = (User("Hi!"),)
    system: str | None = None
    tools: bool = False
    choice: str | None = None
    """`required`, `none`, or the tool's name."""
    schema: dict | None = None
    thinks: bool = False
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 4096
    n: int = 1


@dataclass
class Heard:
    text: str = ""
    thought: str = ""
    signatures: list[str] = field(default_factory=list)
    refusal: str | None = None
    calls: list[tuple[str, dict]] = field(default_factory=list)
    stop: str | None = None
    """`end`, `length`, `tool`, `filter`, `sequence`."""
    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    energy: float | None = None
    """Where the SDK shows fields that it does not know."""
    alternatives: int = 1
    pieces: int = 0
    """Events of a stream."""


@dataclass(frozen=True)
class Door:
    """How an SDK reaches the sidecar: `url` as a base URL, or `proxy` with its CA."""

    url: str | None = None
    prefix: str = ""
    """What the base URL has after the host."""
    key: str = "sk-of-the-client"
    proxy: str | None = None
    ca: str | None = None
    h2: bool = False
    breaks: bool = False
    """The call will fail."""

    def http(self) -> dict[str, Any]:
        """Options for an httpx client."""
        if self.proxy is None:  # no CA is loaded: that takes longer than the call
            return {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
        trust = ssl.create_default_context(cafile=self.ca)
        return {"proxy": self.proxy, "verify": trust, "trust_env": False, "http2": self.h2}

    def base(self, real: str, rest: str = "") -> str:
        """The base URL: the provider's own host, or ours."""
        return (self.url + self.prefix if self.url is not None else real) + rest


class Talk(Protocol):
    """Asks a model, streamed or not."""

    async def __call__(self, door: Door, model: str, ask: Ask, *, stream: bool) -> Heard: ...
