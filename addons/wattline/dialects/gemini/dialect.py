"""Gemini's dialect: content, streamed or whole, embeddings, counting tokens, and interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.base.errors import Fault
from wattline.dialects.base import LOOKED_UP, NOTHING, Answer, Energy, Route, StreamReader
from wattline.dialects.gemini import answer as answers
from wattline.dialects.gemini import body as bodies
from wattline.dialects.gemini import error as errors
from wattline.dialects.gemini import interactions, paths, tail
from wattline.dialects.gemini import request as requests
from wattline.dialects.gemini.stream import ResponseReader
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage


class GeminiDialect:
    """See `dialects.base.Dialect`. Each method's work is in the module of its name."""

    name = "gemini"
    stream_type = "text/event-stream"

    def read_call(
        self,
        request: Request,
        route: Route,
        body: Mapping[str, Any],
        principal: Principal,
        path: str,
    ) -> Call:
        """The neutral call. Raises ClientFault naming the field at fault."""
        if route.operation is Operation.INTERACTIONS:
            return interactions.read_call(request, route, body, principal, path)
        return requests.read_call(request, route, body, principal, path)

    def path(self, route: Route, call: Call, model: str) -> str:
        """The client's method, for the target's model; of its query only `alt=sse`. The route's own where
        no model stands in it.
        """
        if route.upstream_path:
            return route.upstream_path
        return paths.path(model, paths.method_of(call.path), stream=call.stream)

    def write_body(
        self,
        body: bytes,
        call: Call,
        model: str,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any] = NOTHING,
    ) -> bytes:
        """The body for a target. Defaults and overrides are none of an interaction's."""
        if call.operation is Operation.INTERACTIONS:
            return interactions.write_body(body, call, model)
        if call.operation is Operation.LOOKUP:
            return body
        return bodies.write_body(body, call, model, defaults, overrides)

    def reader(self, call: Call) -> StreamReader:
        """A fresh reader for one streamed answer."""
        if call.operation is Operation.INTERACTIONS:
            return interactions.InteractionReader()
        return ResponseReader()

    def read_answer(self, call: Call, body: bytes) -> Answer:
        """What a whole 2xx body says."""
        if call.operation is Operation.INTERACTIONS:
            return interactions.read_answer(body)
        if call.operation is Operation.LOOKUP:
            return LOOKED_UP
        return answers.read_answer(call, body)

    def write_answer(self, call: Call, body: bytes, usage: Usage, energy: Energy) -> bytes:
        """The whole body with its energy."""
        if call.operation is Operation.INTERACTIONS:
            return interactions.write_answer(body, usage, energy)
        if call.operation is Operation.LOOKUP:
            return body
        return answers.write_answer(call, body, usage, energy)

    def write_usage(
        self,
        call: Call,
        piece: Piece | None,
        usage: Usage,
        energy: Energy,
        like: Piece | None = None,
    ) -> bytes:
        """The stream's last event with its energy."""
        if call.operation is Operation.INTERACTIONS:
            return interactions.usage_event(piece, usage, energy)
        return tail.usage_event(call, piece, usage, energy, like)

    def error(self, fault: Fault, call_id: str) -> Whole:
        """A fault as a whole answer."""
        return errors.error(fault, call_id)

    def stream_error(
        self,
        fault: Fault,
        call_id: str,
        operation: Operation = Operation.CHAT,  # noqa: ARG002  (the protocol's)
    ) -> bytes:
        """A fault as the last event of a stream."""
        return errors.stream_error(fault, call_id)
