"""Generate bridges (C-063): one prompt in, one text out.

Only a provider speaks so. A bridge does not stream, so this codec has no decoder and no encoder, and
no client's side: `streams` says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wattline.dialects.generate import reply as replies
from wattline.dialects.generate.report import unsupported
from wattline.wire.parts import Part, Reasoning, Refusal, Text
from wattline.wire.prompt import Prompt, Role, Written
from wattline.wire.reply import Reply

_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


class GenerateBridgeCodec:
    """The provider's half of `dialects.codec.Codec`, for whole answers."""

    headers: Sequence[tuple[str, str]] = ()
    streams: bool = False

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  (the protocol's)
        """Below the bridge's base URL."""
        return "/api/generate"

    def write_prompt(self, prompt: Prompt, model: str) -> Written:
        """The body: the first system message, and the others as `role: content`, a blank line between
        them.
        """
        messages = list(prompt.messages)
        first = next((item for item in messages if item.role in _SYSTEM), None)
        others = [item for item in messages if item is not first]
        lines = [f"{item.role.value}: {_content(item.parts)}" for item in others]
        body: dict[str, Any] = {"model": model, "prompt": "\n\n".join(lines)}
        if first is not None:
            body["system"] = _content(first.parts)
        sampling = prompt.sampling
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.max_tokens is not None:
            body["max_tokens"] = sampling.max_tokens
        dropped = (*prompt.hints, *(("user",) if prompt.user is not None else ()))
        return Written(body, dropped, unsupported(prompt))

    def read_reply(self, body: bytes) -> Reply:
        """A bridge's whole 2xx answer. Raises BadReply, ReplyError."""
        return replies.read_reply(body)


def _content(parts: tuple[Part, ...]) -> str:
    """The text of a message. What a model thought before is not said again."""
    said = [part for part in parts if not isinstance(part, Reasoning)]
    return "\n".join(part.text for part in said if isinstance(part, Text | Refusal))
