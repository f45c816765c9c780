"""Every SDK by name."""

from __future__ import annotations

from types import MappingProxyType

from kit.sdks import anthropic_sdk, genai_sdk, ollama_sdk, openai_sdk
from kit.sdks.asking import Talk

SDKS: MappingProxyType[str, Talk] = MappingProxyType(
    {
        "openai-chat": openai_sdk.chat,
        "openai-chat-sync": openai_sdk.chat_sync,
        "openai-completions": openai_sdk.completion,
        "openai-responses": openai_sdk.responses,
        "groq": openai_sdk.groq_chat,
        "anthropic": anthropic_sdk.messages,
        "anthropic-sync": anthropic_sdk.messages_sync,
        "genai": genai_sdk.generate,
        "ollama-chat": ollama_sdk.chat,
        "ollama-generate": ollama_sdk.generate,
    }
)
ONE_TURN = frozenset({"openai-completions", "ollama-generate"})
"""These have no conversation and no tools."""
