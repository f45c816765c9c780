"""Which codec stands for which side of a translated call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wattline.dialects.anthropic.codec import MessagesCodec
from wattline.dialects.codec import Codec, ProviderCodec, StreamingCodec
from wattline.dialects.further import FURTHER
from wattline.dialects.gateway.codec import GatewayCodec
from wattline.dialects.gemini.codec import GenerateCodec
from wattline.dialects.generate.codec import GenerateBridgeCodec
from wattline.dialects.ollama.codec import OllamaChatCodec, OllamaGenerateCodec
from wattline.dialects.openai.chat_codec import ChatCodec
from wattline.dialects.openai.chat_traits import COMPATIBLE, OPENAI, ChatTraits
from wattline.dialects.openai.completion_codec import CompletionCodec
from wattline.dialects.openai.responses_codec import ResponsesCodec
from wattline.wire.call import Operation


@dataclass(frozen=True, slots=True)
class ProviderSide:
    """A provider's codec, and the same again where it can stream."""

    codec: ProviderCodec
    streaming: StreamingCodec | None


_CHAT: Final = ChatCodec()
_ANTHROPIC: Final = MessagesCodec()
_GEMINI: Final = GenerateCodec()
_OLLAMA: Final = OllamaChatCodec()

_CLIENTS: Final[Mapping[tuple[str, Operation], Codec]] = MappingProxyType(
    {
        ("openai", Operation.CHAT): _CHAT,
        ("openai", Operation.COMPLETION): CompletionCodec(),
        ("openai", Operation.RESPONSES): ResponsesCodec(),
        ("anthropic", Operation.CHAT): _ANTHROPIC,
        ("gemini", Operation.CHAT): _GEMINI,
        ("inference", Operation.CHAT): _CHAT,
        ("assistant", Operation.CHAT): _CHAT,
        ("gateway", Operation.CHAT): GatewayCodec(),
        ("ollama", Operation.CHAT): _OLLAMA,
        ("ollama", Operation.COMPLETION): OllamaGenerateCodec(),
        **{(entry.name, what): codec for entry in FURTHER for what, codec in entry.clients.items()},
    }
)


def _side(codec: Codec) -> ProviderSide:
    return ProviderSide(codec, codec)


_PROVIDERS: Final[Mapping[str, ProviderSide]] = MappingProxyType(
    {
        "anthropic": _side(_ANTHROPIC),
        "gemini": _side(_GEMINI),
        "ollama": _side(_OLLAMA),
        "generate": ProviderSide(GenerateBridgeCodec(), None),
        **{
            entry.name: ProviderSide(entry.provider, entry.streams)
            for entry in FURTHER
            if entry.provider is not None
        },
    }
)

# What is known of the hosts of OpenAI's chat completions.
_TRAITS: Final[Mapping[str, ChatTraits]] = MappingProxyType(
    {
        "api.openai.com": OPENAI,
        "api.deepseek.com": ChatTraits(developer=False, hints=False, reasoning="reasoning_content"),
        "openrouter.ai": ChatTraits(
            hints=False,
            top_k=True,
            cache=True,
            reasoning="reasoning",
            headers=(("site_url", "http-referer"), ("app_name", "x-title")),
            signatures=True,
        ),
        "router.huggingface.co": ChatTraits(
            developer=False, hints=False, headers=(("use_cache", "x-use-cache"),)
        ),
        "api.groq.com": ChatTraits(developer=False, hints=False, reasoning="reasoning"),
        "generativelanguage.googleapis.com": ChatTraits(
            developer=False, hints=False, signatures=True
        ),
    }
)
_OPENAI_SIDES: Final[Mapping[str, ProviderSide]] = MappingProxyType(
    {host: _side(ChatCodec(traits)) for host, traits in _TRAITS.items()}
)
_COMPATIBLE: Final = _side(ChatCodec(COMPATIBLE))


def client_codec(dialect: str, operation: Operation) -> Codec | None:
    """The codec of a client's request; None when such a request is never translated."""
    return _CLIENTS.get((dialect, operation))


def client_names() -> frozenset[str]:
    """Every dialect whose requests can be translated."""
    return frozenset(dialect for dialect, _ in _CLIENTS)


def provider_names() -> tuple[str, ...]:
    """Every dialect that a provider may speak."""
    return ("openai", *_PROVIDERS)


def provider_side(dialect: str, host: str) -> ProviderSide:
    """The codec of a provider that speaks `dialect` at `host`. OpenAI's is spoken in several ways."""
    if dialect == "openai":
        return _OPENAI_SIDES.get(host, _COMPATIBLE)
    return _PROVIDERS[dialect]
