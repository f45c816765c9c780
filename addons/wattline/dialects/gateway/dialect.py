"""A gateway's dialect: chat, embeddings and rerank, always translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattline.base.errors import Fault
from wattline.dialects.base import Energy, Route
from wattline.dialects.gateway import error as errors
from wattline.dialects.gateway import request as requests
from wattline.dialects.gateway.encode import usage_event
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.dialects.openai.usage import ABSENT
from wattline.dialects.openai.usage import write_usage as write_counts
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole
from wattline.wire.piece import Piece
from wattline.wire.usage import Usage


class GatewayDialect(OpenAIDialect):
    """See `dialects.base.Dialect`. What only a native call needs is OpenAI's: there is none. Nor is the place
    of a whole answer's energy its own.
    """

    name = "gateway"

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

    def write_usage(
        self,
        call: Call,
        piece: Piece | None,  # noqa: ARG002  (the protocol's; made anew)
        usage: Usage,
        energy: Energy,
        like: Piece | None = None,  # noqa: ARG002  (the protocol's)
    ) -> bytes:
        """The stream's usage event with its energy."""
        return usage_event(write_counts(call.operation, None, ABSENT, usage, energy))

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
