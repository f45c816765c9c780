"""A count of a prompt's tokens, on its way to a provider of another dialect that counts, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from wattline.dialects.anthropic.answer import count_reply as of_anthropic
from wattline.dialects.base import LOOKED_UP, Answer
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.fields import kind, wrong
from wattline.dialects.gemini.answer import count_reply as of_gemini
from wattline.dialects.openai.stream import lenient
from wattline.dialects.words import error_word
from wattline.wire.call import Call, Operation
from wattline.wire.prompt import Prompt, Sampling, Written
from wattline.wire.usage import MAX_TOKENS

_WHOLE: Final = "generateContentRequest"
_COUNTED: Final = frozenset({"model", "messages", "system", "tools", "tool_choice"})
"""What Anthropic counts: https://docs.anthropic.com/en/api/messages-count-tokens."""
_MEMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {"anthropic": "input_tokens", "gemini": "totalTokens"}
)
_WRITERS: Final[Mapping[str, Callable[[int], bytes]]] = MappingProxyType(
    {"anthropic": of_anthropic, "gemini": of_gemini}
)


@dataclass(frozen=True, slots=True)
class CountBridge:
    """See `dialects.bridge.Bridge`. `client` and `provider` are names of dialects."""

    client: str
    provider: str
    prompt: Prompt = field(repr=False)

    def path(self, model: str) -> str:
        """The path below the provider's base URL."""
        text = provider_side(self.provider, "").codec.path(model, stream=False)
        if self.provider == "anthropic":
            return f"{text}/count_tokens"
        return f"{text.rpartition(':')[0]}:countTokens"

    def write_request(self, model: str) -> Written:
        """The prompt without what only matters to an answer."""
        written = provider_side(self.provider, "").codec.write_prompt(self.prompt, model)
        if self.provider == "anthropic":
            body = {key: value for key, value in written.body.items() if key in _COUNTED}
        else:
            body = {_WHOLE: {"model": f"models/{model}", **written.body}}
        return replace(written, body=body)

    def read_answer(self, body: bytes) -> tuple[Answer, bytes]:
        """A count is free at the provider and not billed here."""
        value = lenient(body)
        if value is None:
            return Answer(None, sound=False), b""
        if value.get("error"):
            return Answer(None, error=error_word(value["error"])), b""
        found = value.get(_MEMBERS[self.provider])
        if type(found) is not int or not 0 <= found <= MAX_TOKENS:
            return Answer(None, sound=False), b""
        return LOOKED_UP, _WRITERS[self.client](found)


def count_bridge(provider: str, call: Call, body: Mapping[str, Any]) -> CountBridge | None:
    """The bridge of a count; None for a client whose prompts are not translated. Raises ClientFault."""
    codec = client_codec(call.dialect, Operation.CHAT)
    if codec is None:
        return None
    inner = body.get(_WHOLE, body)
    if not isinstance(inner, dict):
        wrong(_WHOLE, f"'{_WHOLE}' must be an object, not {kind(inner)}.")
    prompt = codec.read_prompt(inner, call)
    asked = replace(prompt, sampling=Sampling(), format=None, thinking=None, stream=False)
    return CountBridge(call.dialect, provider, asked)
