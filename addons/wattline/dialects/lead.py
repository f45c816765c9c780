"""The beginning of an answer that a target is to go on with: the last message, by the assistant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from wattline.dialects.seam import Seam
from wattline.wire.parts import Text, plain
from wattline.wire.prompt import Message, Prompt, Role

_NO_TEXT: Final = ("logprob", "audio", "modalit", "speech", "format")
"""Parts of names of fields that ask for more than plain text."""
_PLAIN: Final = (None, False, ["text"], ["TEXT"])
"""Values of such fields that ask for none."""


@dataclass(frozen=True, slots=True)
class Lead:
    """`text` is what the client has; `used` are the tokens in it; `before` is the beginning that the client itself
    gave, in a last message of the assistant.
    """

    text: str = field(repr=False)
    used: int = 0
    before: str = field(default="", repr=False)

    @property
    def sent(self) -> str:
        """The beginning that the target gets. White space at its end is refused by some APIs."""
        return (self.before + self.text).rstrip()

    def seam(self) -> Seam:
        """What joins the target's text to the client's."""
        sent = self.sent
        return Seam(sent, (self.before + self.text)[len(sent) :], len(self.before))

    def led(self, prompt: Prompt) -> Prompt:
        """The prompt with the beginning of its answer, and with fewer tokens left for the rest of it."""
        messages, sampling = prompt.messages, prompt.sampling
        if self.before:
            messages = messages[:-1]
        if sent := self.sent:
            messages = (*messages, Message(Role.ASSISTANT, (Text(sent),)))
        if sampling.max_tokens is not None:
            sampling = replace(sampling, max_tokens=max(sampling.max_tokens - self.used, 1))
        return replace(prompt, messages=messages, sampling=sampling)


def beginning(prompt: Prompt) -> str:
    """The beginning of the answer that the client itself gave; empty where it gave none."""
    last = prompt.messages[-1] if prompt.messages else None
    return plain(last.parts) if last is not None and last.role is Role.ASSISTANT else ""


def no_plain_text(prompt: Prompt) -> str | None:
    """Why the answer to a prompt can't be continued, in a word; None when it is plain text."""
    if prompt.format is not None:
        return "json"
    if (prompt.sampling.n or 1) != 1:
        return "alternatives"
    thinking = prompt.thinking
    if thinking is not None and (thinking.effort not in (None, "none") or thinking.budget):
        return "reasoning"
    last = prompt.messages[-1] if prompt.messages else None
    begun = last.parts if last is not None and last.role is Role.ASSISTANT else ()
    if not all(isinstance(part, Text) for part in begun):
        return "beginning"
    return "format" if asks_more(prompt.extras) else None


def asks_more(fields: Mapping[str, Any]) -> bool:
    """Some field of a body wants more than plain text."""
    return any(
        value not in _PLAIN and any(word in name.lower() for word in _NO_TEXT)
        for name, value in fields.items()
    )
