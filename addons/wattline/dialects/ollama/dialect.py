"""Ollama's dialect: chat, generate and embeddings, passed through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.base.errors import Fault
from wattline.dialects.base import NOTHING, Answer, Energy, Route, StreamReader
from wattline.dialects.ollama import answer as answers
from wattline.dialects.ollama import body as bodies
from wattline.dialects.ollama import error as errors
from wattline.dialects.ollama import request as requests
from wattline.dialects.ollama.request import LEGACY_EMBEDDINGS
from wattline.dialects.ollama.stream import LineReader
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole
from wattline.wire.ndjson import MEDIA_TYPE
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage

ROUTES = (
    Route("ollama", Operation.CHAT, "/api/chat"),
    Route("ollama", Operation.COMPLETION, "/api/generate"),
    Route("ollama", Operation.EMBEDDINGS, "/api/embed"),
    Route("ollama", Operation.EMBEDDINGS, LEGACY_EMBEDDINGS),
)
"""The calls of Ollama's API, by their paths on an Ollama host."""


class OllamaDialect:
    """See `dialects.base.Dialect`. Each method's work is in the module of its name."""

    name = "ollama"
    stream_type = MEDIA_TYPE
    """The content type of its streams."""

    def read_call(
        self,
        request: Request,
        route: Route,
        body: Mapping[str, Any],
        principal: Principal,
        path: str,
    ) -> Call:
        """The neutral call. Raises ClientFault naming the field at fault."""
        return requests.read_call(request, route, body, principal, path)

    def path(self, route: Route, call: Call, model: str) -> str:  # noqa: ARG002  (the protocol's)
        """The route's own."""
        return route.upstream_path

    def write_body(
        self,
        body: bytes,
        call: Call,
        model: str,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any] = NOTHING,
    ) -> bytes:
        """The body for a target."""
        return bodies.write_body(body, call, model, defaults, overrides)

    def reader(self, call: Call) -> StreamReader:  # noqa: ARG002  (the protocol's)
        """A fresh reader for one streamed answer."""
        return LineReader()

    def read_answer(self, call: Call, body: bytes) -> Answer:
        """What a whole 2xx body says."""
        return answers.read_answer(call, body)

    def write_answer(self, call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
        """The whole body with its energy."""
        return answers.write_answer(call, body, usage, energy)

    def write_usage(
        self,
        call: Call,  # noqa: ARG002  (the protocol's)
        piece: Piece | None,
        usage: Usage,
        energy: Energy,
        like: Piece | None = None,  # noqa: ARG002  (the protocol's)
    ) -> bytes:
        """The stream's last object with its energy."""
        return answers.last_line(piece, usage, energy)

    def error(self, fault: Fault, call_id: str) -> Whole:
        """A fault as a whole answer."""
        return errors.error(fault, call_id)

    def stream_error(
        self,
        fault: Fault,
        call_id: str,  # noqa: ARG002  (the protocol's; Ollama's lines have no place for it)
        operation: Operation = Operation.CHAT,  # noqa: ARG002  (all are alike)
    ) -> bytes:
        """A fault as the last line of a stream."""
        return errors.stream_error(fault)
