"""Uploads as forms: the fields that a provider's `defaults` add to them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

_FIELDS = frozenset({"language", "prompt", "response_format"})
"""Of a transcription. A provider's other defaults are meant for chat."""


def form_defaults(present: AbstractSet[str], defaults: Mapping[str, Any]) -> dict[str, str]:
    """Text fields to add to a form that has the fields `present`: those of `defaults` that a transcription
    has and that are texts.
    """
    return {
        key: value
        for key, value in defaults.items()
        if key in _FIELDS and key not in present and isinstance(value, str)
    }
