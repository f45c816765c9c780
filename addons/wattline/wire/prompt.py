"""A request for text, in no provider's shape: what every dialect reads one into and writes one from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from wattline.wire.parts import Part


class Role(StrEnum):
    """Who speaks. Tool results stand in messages of their own."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. An assistant's parts are in the order in which the model gave them."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    """OpenAI's name of a participant."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `schema` is the JSON Schema of its arguments (None: none)."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    strict: bool | None = None
    cache: Mapping[str, Any] | None = None


class Choice(StrEnum):
    """How far the model is free to call tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`name` is set with NAMED only. `parallel` False: at most one call in a turn (None: not said)."""

    choice: Choice = Choice.AUTO
    name: str | None = None
    parallel: bool | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """The answer must be JSON; with a `schema`, of that shape."""

    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """None: not said. `stop` is empty when there are none."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much the model should think: `effort` (`none`, `minimal`, `low`, `medium`, `high`, `xhigh`,
    `max`) or `budget` in tokens, whichever the client said; `budget` 0 is off, -1 the model's own choice.
    `visible` False: the client does not want to see it (None: not said).
    """

    effort: str | None = None
    budget: int | None = None
    visible: bool | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request for text.

    System messages stand at their place in `messages`. `hints` are fields that change nothing of an
    answer's meaning (cache keys, tracing, service tiers): a dialect that does not know one leaves it out.
    `extras` are fields that do and that have no neutral form, by their name in the client's dialect: a
    dialect that does not know one reports it in `Written.unsupported`. Both hold values as parsed.
    """

    messages: tuple[Message, ...] = field(repr=False)
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    format: Format | None = None
    sampling: Sampling = Sampling()
    thinking: Thinking | None = None
    stream: bool = False
    user: str | None = None
    hints: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extras: Mapping[str, Any] = field(default_factory=dict, repr=False)
    trusted: frozenset[str] = frozenset()
    """Names of extras that the client meant for the provider that it named: one of OpenAI's chat takes
    them as they are, known or not.
    """


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt in a provider's shape. `dropped` names the hints that were left out, `unsupported` what the
    client asked for and the provider can't do, both in the words of the client's request
    (`logit_bias`, `audio in messages`); `body` holds neither.
    """

    body: dict[str, Any] = field(repr=False)
    dropped: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Hints that the provider takes as headers."""
