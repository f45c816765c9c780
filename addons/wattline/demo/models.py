"""`GET /v1/models` and `GET /v1/models/{model}`.

Shapes: https://platform.openai.com/docs/api-reference/models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wattline.demo.reply import Reply

MODELS = ("wattline-demo", "wattline-demo-mini", "wattline-demo-embedding", "wattline-demo-audio")
"""What is listed by default; any other name is answered too."""


def list_models(names: Sequence[str], created: int) -> Reply:
    """All models."""
    return Reply({"object": "list", "data": [_model(name, created) for name in names]})


def one_model(name: str, created: int) -> Reply:
    """Any model: the demo provider answers to every name."""
    return Reply(_model(name, created))


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "wattline-demo"}
