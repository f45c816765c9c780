"""The assistant gateway's dialect: OpenAI's chat, with errors of its own (A-155)."""

from __future__ import annotations

from wattline.base.errors import Fault
from wattline.dialects.assistant import error as errors
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.wire.call import Operation
from wattline.wire.http import Whole


class AssistantDialect(OpenAIDialect):
    """See `dialects.base.Dialect`. A provider of OpenAI's dialect gets the bytes as they are."""

    name = "assistant"

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
