"""`POST /v1/moderations`: nothing is ever flagged.

Shapes: https://platform.openai.com/docs/api-reference/moderations.
"""

from __future__ import annotations

from typing import Any

from wattline.demo.asked import Asked
from wattline.demo.check import Fields
from wattline.demo.reply import Reply

DEFAULT_MODEL = "omni-moderation-latest"
MOST_INPUTS = 2048
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def moderations(asked: Asked) -> Reply:
    """One result for each text; an array of parts is one input. Raises Refused."""
    fields = asked.fields
    body = {
        "id": asked.id("modr-"),
        "model": fields.text("model") or DEFAULT_MODEL,
        "results": [_result() for _ in range(_inputs(fields))],
    }
    return Reply(body)


def _inputs(fields: Fields) -> int:
    value = fields.need("input")
    if isinstance(value, str):
        return 1
    if not isinstance(value, list):
        raise fields.wrong_type("input", "a string or an array")
    if not value:
        raise fields.empty("input")
    if len(value) > MOST_INPUTS:
        raise fields.too_long("input", MOST_INPUTS, len(value))
    if all(isinstance(one, str) for one in value):
        return len(value)
    for part in fields.objects("input"):
        part.one_of("type", ("text", "image_url"), required=True)
    return 1


def _result() -> dict[str, Any]:
    return {
        "flagged": False,
        "categories": dict.fromkeys(CATEGORIES, False),
        "category_scores": dict.fromkeys(CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
