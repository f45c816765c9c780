"""Which codec stands for which side of a translated call for vectors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.dialects.gateway.embeddings import GatewayEmbeddings
from wattline.dialects.gemini.embeddings import GeminiEmbeddings
from wattline.dialects.ollama.embeddings import OllamaEmbeddings
from wattline.dialects.openai.embeddings import OpenAIEmbeddings
from wattline.dialects.task_codec import TaskClient, TaskProvider
from wattline.wire.embedding import Embedding, Vectors

type EmbeddingClient = TaskClient[Embedding, Vectors]
type EmbeddingProvider = TaskProvider[Embedding, Vectors]

_OPENAI: Final = OpenAIEmbeddings()
_GEMINI: Final = GeminiEmbeddings()
_OLLAMA: Final = OllamaEmbeddings()

EMBEDDING_CLIENTS: Final[Mapping[str, EmbeddingClient]] = MappingProxyType(
    {"openai": _OPENAI, "gemini": _GEMINI, "ollama": _OLLAMA, "gateway": GatewayEmbeddings()}
)
"""By the client's dialect."""
EMBEDDING_PROVIDERS: Final[Mapping[str, EmbeddingProvider]] = MappingProxyType(
    {"openai": _OPENAI, "gemini": _GEMINI, "ollama": _OLLAMA}
)
"""By the provider's dialect."""
