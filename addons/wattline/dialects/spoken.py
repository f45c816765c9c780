"""Every dialect that clients can speak to us."""

from __future__ import annotations

from wattline.dialects.anthropic.dialect import AnthropicDialect
from wattline.dialects.assistant.dialect import AssistantDialect
from wattline.dialects.base import Dialect
from wattline.dialects.further import FURTHER
from wattline.dialects.gateway.dialect import GatewayDialect
from wattline.dialects.gemini.dialect import GeminiDialect
from wattline.dialects.inference.dialect import InferenceDialect
from wattline.dialects.ollama.dialect import OllamaDialect
from wattline.dialects.openai.dialect import OpenAIDialect


def spoken_dialects() -> dict[str, Dialect]:
    """One instance of each, by name. They are stateless."""
    found: list[Dialect] = [
        OpenAIDialect(),
        AnthropicDialect(),
        GeminiDialect(),
        OllamaDialect(),
        InferenceDialect(),
        GatewayDialect(),
        AssistantDialect(),
        *(entry.dialect for entry in FURTHER if entry.dialect is not None),
    ]
    return {dialect.name: dialect for dialect in found}
