"""Faults in the shape of Ollama's errors."""

from __future__ import annotations

from wattline.base.errors import Fault
from wattline.dialects.json_text import dumps
from wattline.dialects.openai.error import error as openai_error
from wattline.wire.http import Whole
from wattline.wire.ndjson import line


def error(fault: Fault, call_id: str) -> Whole:
    """A fault as a whole answer, with the headers of every dialect of ours."""
    whole = openai_error(fault, call_id)
    return Whole(whole.status, whole.headers, _object(fault))


def stream_error(fault: Fault) -> bytes:
    """A fault as the last line of a stream. No `done` follows: the answer is not complete."""
    return line(_object(fault))


def _object(fault: Fault) -> bytes:
    return dumps({"error": fault.message})
