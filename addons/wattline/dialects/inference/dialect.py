"""An inference service's dialect: OpenAI's chat, a path that always streams, and errors of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattline.base.errors import Fault
from wattline.dialects.base import NOTHING, Route
from wattline.dialects.inference import error as errors
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.wire.call import Call, Operation, Principal
from wattline.wire.http import Request, Whole

_STREAMS: Final = "/stream"


class InferenceDialect(OpenAIDialect):
    """See `dialects.base.Dialect`. A provider of OpenAI's dialect gets the client's own bytes."""

    name = "inference"

    def read_call(
        self,
        request: Request,
        route: Route,
        body: Mapping[str, Any],
        principal: Principal,
        path: str,
    ) -> Call:
        """The neutral call. Raises ClientFault naming the field at fault."""
        if path.endswith(_STREAMS):
            body = {**body, "stream": True}
        return super().read_call(request, route, body, principal, path)

    def write_body(
        self,
        body: bytes,
        call: Call,
        model: str,
        defaults: Mapping[str, Any],
        overrides: Mapping[str, Any] = NOTHING,
    ) -> bytes:
        """The body for a target; it says `stream` where the client said it by its path."""
        if call.path.endswith(_STREAMS):
            overrides = {**overrides, "stream": True}
        return super().write_body(body, call, model, defaults, overrides)

    def error(self, fault: Fault, call_id: str) -> Whole:
        """A fault as a whole answer."""
        return errors.error(fault, call_id)

    def stream_error(
        self,
        fault: Fault,
        call_id: str,  # noqa: ARG002  (the protocol's; the shape has no place for it)
        operation: Operation = Operation.CHAT,  # noqa: ARG002  (there is one)
    ) -> bytes:
        """A fault as the last event of a stream."""
        return errors.stream_error(fault)
