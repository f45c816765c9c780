from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.openai_calls import DIALECT, call
from wattline.dialects.openai.form import form_defaults
from wattline.dialects.openai.transcript import told_seconds, with_facts
from wattline.wire.call import Operation

HALF = Fraction("3.5")


def test_answer_gets_what_the_provider_left_out() -> None:
    """A-031: `{text, duration, language}`."""
    assert with_facts(b'{"text":"Hello"}', HALF, "en") == (
        b'{"text":"Hello","duration":3.5,"language":"en"}'
    )
    assert with_facts(b'{ "text" : "x" }\n', Fraction(2, 3), None) == (
        b'{ "text" : "x","duration":0.666667 }\n'
    )


def test_what_the_provider_tells_stays() -> None:
    told = b'{"language":"english", "duration":8.470, "text":"x","segments":[{"id":0}]}'
    assert with_facts(told, HALF, "en") == told


@pytest.mark.parametrize(
    "body", [b"", b"Hello\n", b"WEBVTT\n\n", b"[]", b"{", b'{"error":{}}', b'"x"']
)
def test_other_answers_stay(body: bytes) -> None:
    assert with_facts(body, HALF, "en") == body


def test_nothing_known_changes_nothing() -> None:
    assert with_facts(b'{"text":"x"}', None, None) == b'{"text":"x"}'
    assert with_facts(b'{"text":"x"}', None, "") == b'{"text":"x"}'


def test_language_is_any_text_of_the_client() -> None:
    made = json.loads(with_facts(b'{"text":"x"}', None, 'e"n\\ü'))
    assert made["language"] == 'e"n\\ü'


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"duration": 3.5}, "3.5"),
        ({"duration": 2.2}, "2.2"),
        ({"duration": 8}, "8"),
        ({"duration": "8.470"}, "8.47"),
        ({"duration": 0}, "0"),
        ({"duration": 2.5, "usage": {"type": "duration", "seconds": 3}}, "2.5"),
        ({"usage": {"type": "duration", "seconds": 3}}, "3"),
        ({"duration": None, "usage": {"type": "duration", "seconds": 3}}, "3"),
    ],
)
def test_told_length_is_exact(answer, told: str) -> None:
    assert told_seconds(json.dumps(answer).encode()) == Fraction(told)


@pytest.mark.parametrize(
    "value",
    [
        *("-1", "1e99", "1e400", "NaN", "Infinity", "true", "null", "[]", "{}", '"x"', '"1/0"'),
        *('"nan"', '"1/2"', '""', "9" * 400, '"' + "1" * 400 + '"', '"1e99999999"', '"-inf"'),
    ],
)
def test_length_that_can_not_be_true_is_none(value: str) -> None:
    for body in ('{"duration":%s}', '{"usage":{"type":"duration","seconds":%s}}'):
        assert told_seconds((body % value).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"text", b"[1]", b'{"usage":[]}', b'{"usage":{"type":"tokens","seconds":3}}']
)
def test_answers_that_tell_no_length(body: bytes) -> None:
    assert told_seconds(body) is None


@given(st.binary(max_size=60))
def test_garbage(body: bytes) -> None:
    assert told_seconds(body) is None or b"duration" in body
    assert isinstance(with_facts(body, HALF, "en"), bytes)


def test_defaults_for_forms() -> None:
    """A provider that must be asked for more: `defaults: {response_format: verbose_json}`."""
    defaults = {"response_format": "verbose_json", "temperature": 0.3, "max_tokens": 9}
    assert form_defaults({"model"}, defaults) == {"response_format": "verbose_json"}
    assert form_defaults({"response_format"}, defaults) == {}
    assert form_defaults(set(), {"response_format": {"type": "json_object"}}) == {}


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b'{"text":"Hello"}', 5),
        ('{"text":"Grüße","segments":[{"text":"Grüße"}]}'.encode(), 5),
        ("Grüße\n".encode(), 6),
        (b"\xff\xfe", 2),
        (b'{"text":3}', 0),
        (b'{"text":["x"]}', 0),
        (b"{}", 0),
    ],
)
def test_text_is_what_a_transcript_of_unknown_length_is_priced_by(body: bytes, output: int) -> None:
    answer = DIALECT.read_answer(call(Operation.TRANSCRIPTION), body)
    assert (answer.sound, answer.output) == (True, output)
