"""The client's half of a gateway's rerank: each result has its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.dialects.json_text import dumps
from wattline.dialects.openai.rerank import RerankCodec
from wattline.wire.call import Call
from wattline.wire.rerank import Ranking, Rerank


class GatewayRerank:
    """See `dialects.task_codec.TaskClient`."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> Rerank:
        """The client's request. Raises ClientFault naming the field at fault."""
        return RerankCodec().read_request(body, call)

    def write_answer(self, found: Ranking, wanted: Rerank, call: Call) -> bytes:  # noqa: ARG002
        """The client's answer; a client that wants no documents back gets none."""
        shown = wanted.shown is not False
        body: dict[str, Any] = {
            "results": [
                {"index": rank.index, "relevance_score": rank.score}
                | ({"document": wanted.documents[rank.index]} if shown else {})
                for rank in found.ranks
            ]
        }
        if found.usage is not None:
            body["usage"] = {"total_tokens": found.usage.total}
        return dumps(body)
