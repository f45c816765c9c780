"""The client's half of a gateway's embeddings: the request is OpenAI's, the answer has bare vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.gateway.request import own_name
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.embeddings import OpenAIEmbeddings
from wattline.wire.call import Call
from wattline.wire.embedding import Embedding, Vectors


class GatewayEmbeddings:
    """See `dialects.task_codec.TaskClient`."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> Embedding:
        """The client's request. Raises ClientFault naming the field at fault."""
        return OpenAIEmbeddings().read_request(body, call)

    def write_answer(self, found: Vectors, wanted: Embedding, call: Call) -> bytes:
        """One vector for one input, a list of vectors for a list."""
        vectors = [list(vector) for vector in found.vectors]
        body: dict[str, Any] = {
            "embeddings": vectors[0] if wanted.single and vectors else vectors,
            "model": found.model or own_name(call),
        }
        if found.usage is not None:
            body["usage"] = {"total_tokens": found.usage.total}
        return dumps(body)
