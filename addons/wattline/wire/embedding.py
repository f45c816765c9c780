"""A request for vectors and its answer, in no provider's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wattline.wire.usage import Usage

type Input = str | tuple[int, ...]
"""A text, or its tokens by the numbers of the model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """What a client wants vectors of. `dimensions` None: as many as the model has; `base64`: the vectors
    are to come packed. `single`: the client sent one input and no list of them. `hints` and `extras` are
    as in `Prompt`.
    """

    inputs: tuple[Input, ...] = field(repr=False)
    dimensions: int | None = None
    base64: bool = False
    single: bool = False
    hints: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extras: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def texts(self) -> tuple[str, ...] | None:
        """The inputs where all of them are texts."""
        found = tuple(one for one in self.inputs if isinstance(one, str))
        return found if len(found) == len(self.inputs) else None


@dataclass(frozen=True, slots=True)
class Vectors:
    """A vector for each input, in their order. The usage counts a prompt only; without one there was
    none, or with `bad_usage` one that can't be true.
    """

    vectors: tuple[Sequence[float], ...] = field(repr=False)
    model: str | None = None
    usage: Usage | None = None
    bad_usage: bool = False
