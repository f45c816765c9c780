"""Translation of calls that are one question and one answer, beside text: embeddings and rerank.

As in `dialects.codec`, a client's half reads the request and writes the answer, a provider's half writes
the request and reads the answer. All of it is sans-io and stateless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from wattline.wire.call import Call
from wattline.wire.prompt import Written


class TaskClient[W, F](Protocol):
    """The client's half, of a request `W` and its answer `F`."""

    def read_request(self, body: Mapping[str, Any], call: Call) -> W:
        """The client's request. Raises ClientFault naming the field at fault."""
        ...

    def write_answer(self, found: F, wanted: W, call: Call) -> bytes:
        """The client's whole answer. `call.model` stands in where the provider named no model."""
        ...


class TaskProvider[W, F](Protocol):
    """The provider's half."""

    def path(self, model: str) -> str:
        """The path below a provider's base URL."""
        ...

    def write_request(self, wanted: W, model: str) -> Written:
        """The request for a provider. Raises nothing for what it can't do: that is in `Written`."""
        ...

    def read_answer(self, body: bytes) -> F:
        """A provider's whole 2xx answer. Raises BadReply, ReplyError."""
        ...
