"""The fields that a provider's `defaults` add to uploads, and to calls that are about sound or pictures."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any

from wattline.wire.call import Operation

_FIELDS = frozenset({"language", "prompt", "response_format"})
"""Of a transcription. A provider's other defaults are meant for chat."""
_FORMAT = "response_format"
_FORMATS: Mapping[Operation, type] = MappingProxyType(
    {
        Operation.CHAT: dict,
        Operation.COMPLETION: dict,
        Operation.RESPONSES: dict,
        Operation.IMAGES: str,
        Operation.SPEECH: str,
        Operation.TRANSCRIPTION: str,
    }
)
_TRANSCRIPTS = frozenset({"json", "text", "srt", "verbose_json", "vtt", "diarized_json"})


def fitting(operation: Operation, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """`defaults` without a `response_format` that is meant for another operation: the field's name is that
    of the JSON of a chat, of a transcript's form, and of a kind of sound.
    """
    value = defaults.get(_FORMAT)
    if value is None:
        return defaults
    transcript = isinstance(value, str) and value in _TRANSCRIPTS
    fits = isinstance(value, _FORMATS.get(operation, ())) and (
        not isinstance(value, str) or transcript == (operation is Operation.TRANSCRIPTION)
    )
    return defaults if fits else {key: defaults[key] for key in defaults if key != _FORMAT}


def form_defaults(present: AbstractSet[str], defaults: Mapping[str, Any]) -> dict[str, str]:
    """Text fields to add to a form that has the fields `present`: those of `defaults` that a transcription
    has and that are texts.
    """
    return {
        key: value
        for key, value in defaults.items()
        if key in _FIELDS and key not in present and isinstance(value, str)
    }
