"""Which of a provider's defaults a call about sound or pictures gets."""

from __future__ import annotations

import pytest

from wattline.dialects.openai.form import fitting
from wattline.wire.call import Operation

TEXT = (Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES)
JSON = {"type": "json_object"}


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("verbose_json", (Operation.TRANSCRIPTION,)),
        ("text", (Operation.TRANSCRIPTION,)),
        ("mp3", (Operation.SPEECH, Operation.IMAGES)),
        ("b64_json", (Operation.SPEECH, Operation.IMAGES)),
        (JSON, TEXT),
        (3, ()),
        ([], ()),
        (True, ()),
    ],
)
def test_response_format_goes_where_it_means_something(operation, value, fits) -> None:
    """`defaults: {response_format: verbose_json}` is for transcripts, a chat would be refused with it."""
    defaults = {"temperature": 0.3, "response_format": value}
    kept = defaults if operation in fits else {"temperature": 0.3}
    assert fitting(operation, defaults) == kept


@pytest.mark.parametrize("operation", Operation)
def test_other_defaults_stay(operation) -> None:
    for defaults in ({}, {"temperature": 0.3, "stop": ["x"]}, {"response_format": None}):
        assert fitting(operation, defaults) is defaults
