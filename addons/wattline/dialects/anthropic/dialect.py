"""Anthropic's dialect: messages, and the counting of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.base.errors import Fault
from wattline.dialects.anthropic import answer as answers
from wattline.dialects.anthropic import body as bodies
from wattline.dialects.anthropic import error as errors
from wattline.dialects.anthropic import request as requests
from wattline.dialects.anthropic import tail
from wattline.dialects.anthropic.stream import MessageReader
from wattline.dialects.base import NOTHING, Answer, Energy, Route, StreamReader
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage


class AnthropicDialect:
    """See `dialects.base.Dialect`. Each method's work is in the module of its name."""

    name = "anthropic"
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
        return MessageReader()

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
        like: Piece | None = None,  # noqa: ARG002  (a `message_delta` has no identity)
    ) -> bytes:
        """The stream's `message_delta` with its energy."""
        return tail.usage_event(piece, usage, energy)

    def error(self, fault: Fault, call_id: str) -> Whole:
        """A fault as a whole answer."""
        return errors.error(fault, call_id)

    def stream_error(
        self,
        fault: Fault,
        call_id: str,
        operation: Operation = Operation.CHAT,  # noqa: ARG002  (only messages are streamed)
    ) -> bytes:
        """A fault as the last event of a stream."""
        return errors.stream_error(fault, call_id)
