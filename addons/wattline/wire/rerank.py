"""A request to put texts in order, and its answer, in no provider's shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wattline.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class Rerank:
    """Which of the documents answer the query. `top` None: all of them are wanted; `shown`: the client
    wants them back in the answer (None: not said). `extras` are as in `Prompt`.
    """

    query: str = field(repr=False)
    documents: tuple[str, ...] = field(repr=False)
    top: int | None = None
    shown: bool | None = None
    extras: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of one document: its index in the request, from 0, and how well it answers."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best first. Without a usage there was none, or with `bad_usage` one that can't be true."""

    ranks: tuple[Rank, ...]
    model: str | None = None
    id: str | None = None
    usage: Usage | None = None
    bad_usage: bool = False
