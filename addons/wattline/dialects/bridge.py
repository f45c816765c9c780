"""One call for vectors, for an order of texts or for a count, on its way to a provider of another dialect and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wattline.dialects.base import Answer
from wattline.dialects.codec import BadReply, ReplyError
from wattline.dialects.count_bridge import count_bridge
from wattline.dialects.crossing import native
from wattline.dialects.embedding_codecs import (
    EMBEDDING_CLIENTS,
    EMBEDDING_PROVIDERS,
    EmbeddingClient,
    EmbeddingProvider,
)
from wattline.dialects.rerank_codecs import (
    RERANK_CLIENTS,
    RerankClient,
    RerankProvider,
    rerank_provider,
    takes_as_it_is,
)
from wattline.wire.call import Call, Operation
from wattline.wire.embedding import Embedding
from wattline.wire.prompt import Written
from wattline.wire.rerank import Ranking, Rerank


class Bridge(Protocol):
    """The way there and back of one call."""

    def path(self, model: str) -> str:
        """The path below the provider's base URL."""
        ...

    def write_request(self, model: str) -> Written:
        """The request for the provider."""
        ...

    def read_answer(self, body: bytes) -> tuple[Answer, bytes]:
        """What a whole answer says, and the same in the client's dialect."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddingBridge:
    """Vectors."""

    client: EmbeddingClient
    provider: EmbeddingProvider
    call: Call
    wanted: Embedding = field(repr=False)

    def path(self, model: str) -> str:
        """See `Bridge`."""
        return self.provider.path(model)

    def write_request(self, model: str) -> Written:
        """See `Bridge`."""
        return self.provider.write_request(self.wanted, model)

    def read_answer(self, body: bytes) -> tuple[Answer, bytes]:
        """See `Bridge`. An answer with more or fewer vectors than were asked for is none."""
        try:
            found = self.provider.read_answer(body)
        except ReplyError as error:
            return Answer(None, error=error.word), b""
        except BadReply:
            return Answer(None, sound=False), b""
        if len(found.vectors) != len(self.wanted.inputs):
            return Answer(None, sound=False), b""
        said = Answer(found.usage, bad_usage=found.bad_usage, model=found.model)
        return said, self.client.write_answer(found, self.wanted, self.call)


@dataclass(frozen=True, slots=True)
class RerankBridge:
    """An order of texts."""

    client: RerankClient
    provider: RerankProvider
    call: Call
    wanted: Rerank = field(repr=False)

    def path(self, model: str) -> str:
        """See `Bridge`."""
        return self.provider.path(model)

    def write_request(self, model: str) -> Written:
        """See `Bridge`."""
        return self.provider.write_request(self.wanted, model)

    def read_answer(self, body: bytes) -> tuple[Answer, bytes]:
        """See `Bridge`. A place of a document that was not sent makes an answer none; what is beyond the
        number that the client wants is left out.
        """
        try:
            found = self.provider.read_answer(body)
        except ReplyError as error:
            return Answer(None, error=error.word), b""
        except BadReply:
            return Answer(None, sound=False), b""
        if any(rank.index >= len(self.wanted.documents) for rank in found.ranks):
            return Answer(None, sound=False), b""
        said = Answer(found.usage, bad_usage=found.bad_usage, model=found.model)
        return said, self.client.write_answer(self._cut(found), self.wanted, self.call)

    def _cut(self, found: Ranking) -> Ranking:
        return replace(found, ranks=found.ranks[: self.wanted.top])


def bridge_to(dialect: str, host: str, call: Call, body: Mapping[str, Any]) -> Bridge | None:
    """The bridge of a call to a provider that speaks `dialect` at `host`; None where it goes as it is.
    Raises ClientFault for a request that can't be read.
    """
    same = dialect == native(call.dialect)
    if call.operation is Operation.EMBEDDINGS and not same:
        client = EMBEDDING_CLIENTS[call.dialect]
        wanted = client.read_request(body, call)
        return EmbeddingBridge(client, EMBEDDING_PROVIDERS[dialect], call, wanted)
    if call.operation is Operation.RERANK and not (same and takes_as_it_is(host)):
        asker = RERANK_CLIENTS[call.dialect]
        question = asker.read_request(body, call)
        return RerankBridge(asker, rerank_provider(host), call, question)
    if call.operation is Operation.COUNT_TOKENS and not same:
        return count_bridge(dialect, call, body)
    return None
