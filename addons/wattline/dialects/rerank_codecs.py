"""Which codec stands for which side of a translated rerank. Providers are those of OpenAI's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattline.dialects.gateway.rerank import GatewayRerank
from wattline.dialects.openai.rerank import RerankCodec, RerankShape
from wattline.dialects.task_codec import TaskClient, TaskProvider
from wattline.wire.rerank import Ranking, Rerank

type RerankClient = TaskClient[Rerank, Ranking]
type RerankProvider = TaskProvider[Rerank, Ranking]

_COMMON: Final = RerankCodec()

RERANK_CLIENTS: Final[Mapping[str, RerankClient]] = MappingProxyType(
    {"openai": _COMMON, "gateway": GatewayRerank()}
)
"""By the client's dialect."""

_HOSTS: Final[Mapping[str, RerankProvider]] = MappingProxyType(
    {
        "api.voyageai.com": RerankCodec(RerankShape.VOYAGE),
        "ai.api.nvidia.com": RerankCodec(RerankShape.NVIDIA),
    }
)


def rerank_provider(host: str) -> RerankProvider:
    """The codec of a provider at `host`."""
    return _HOSTS.get(host, _COMMON)


def takes_as_it_is(host: str) -> bool:
    """A provider at `host` takes a client's own request at `/rerank`."""
    return host != "ai.api.nvidia.com"
