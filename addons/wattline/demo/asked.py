"""A request as an endpoint gets it, and the sentence that every text endpoint answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wattline.demo.check import Fields


@dataclass(frozen=True, slots=True)
class Asked:
    """`number` is the request's place in the journal and makes its ids; `created` is in whole
    seconds of wall time. `words` is a text that a fault wants to be said instead.
    """

    number: int
    created: int
    body: Mapping[str, Any] = field(repr=False, default_factory=dict)
    file: bytes | None = field(repr=False, default=None)
    words: str | None = field(repr=False, default=None)

    @property
    def fields(self) -> Fields:
        """The body, read with OpenAI's refusals."""
        return Fields(self.body)

    def id(self, prefix: str) -> str:
        """An id that the same run always gives to the same request."""
        return f"{prefix}demo{self.number:08d}"


def sentence(count: int, thing: str, tokens: int) -> str:
    """The answer: what this is, and what was asked in numbers only."""
    return (
        "This is the wattline demo provider: no model was called. "
        f"It got {number_of(count, thing)} of about {number_of(tokens, 'token')}."
    )


def number_of(count: int, thing: str) -> str:
    """`1 token`, `2 tokens`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
