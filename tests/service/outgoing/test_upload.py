"""An upload with another model's name: only those bytes differ, and its length is known."""

from __future__ import annotations

import io
import wave
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.service.outgoing.upload import Replaced, Upload

TYPE = "multipart/form-data; boundary=XX"


def form(model: bytes, audio: bytes = b"\x00\xff" * 50) -> bytes:
    return (
        b'--XX\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + audio
        + b'\r\n--XX\r\ncontent-disposition: form-data; name="model"\r\n\r\n'
        + model
        + b'\r\n--XX\r\ncontent-disposition: form-data; name="language"\r\n\r\nen\r\n--XX--\r\n'
    )


def whole(body, step=7) -> bytes:
    size = body.seek(0, 2)
    body.seek(0)
    parts = []
    while data := body.read(step):
        assert len(data) <= step
        parts.append(data)
    assert sum(map(len, parts)) == size
    assert body.read(step) == b""
    return b"".join(parts)


@pytest.mark.parametrize("model", ["openai/whisper-large-v3-turbo", "w", "whisper-1", "модель", ""])
@pytest.mark.parametrize("step", [1, 7, 65_536])
def test_only_the_models_bytes_differ(model, step):
    """A-032"""
    upload = Upload.read(io.BytesIO(form(b"whisper-1")), TYPE)
    assert upload.values == {"model": "whisper-1", "language": "en"}
    assert whole(upload.for_model(model), step) == form(model.encode())


def test_the_same_file_serves_one_target_after_another():
    upload = Upload.read(io.BytesIO(form(b"whisper-1")), TYPE)
    first, second = upload.for_model("first"), upload.for_model("the second")
    assert first.read(200)
    assert whole(second) == form(b"the second")
    assert whole(first) == form(b"first")


@pytest.mark.parametrize("filename", [b"", b'; filename="a.png"'])
def test_a_form_without_a_model_gets_it(filename):
    """B-024: OpenAI has a default, the target's is another."""
    head = b'--XX\r\ncontent-disposition: form-data; name="image"' + filename
    raw = head + b"\r\n\r\n\x00\r\n--XX--\r\n"
    made = whole(Upload.read(io.BytesIO(raw), TYPE).for_model("x", {"language": "en"}))
    again = Upload.read(io.BytesIO(made), TYPE)
    assert {"model": "x", "language": "en"}.items() <= again.values.items()
    assert made.startswith(head)
    assert b"\x00\r\n" in made
    assert len(again.form.files) == bool(filename)


def test_an_empty_form_stays_as_it_is():
    raw = b"--XX--\r\n"
    assert whole(Upload.read(io.BytesIO(raw), TYPE).for_model("x")) == raw


def test_added_fields_stand_behind_the_model():
    """A-031: the provider is asked for the language and the length too."""
    upload = Upload.read(io.BytesIO(form(b"whisper-1")), TYPE)
    made = whole(upload.for_model("w", {"response_format": "verbose_json", "prompt": "\u00fc"}))
    again = Upload.read(io.BytesIO(made), TYPE)
    assert again.values == {
        "model": "w",
        "response_format": "verbose_json",
        "prompt": "\u00fc",
        "language": "en",
    }
    assert again.form.files.keys() == {"file"}
    assert made.startswith(form(b"w")[: form(b"w").index(b"w\r\n")])


def test_a_field_that_the_form_has_is_not_added():
    upload = Upload.read(io.BytesIO(form(b"whisper-1")), TYPE)
    added = {"language": "de", "model": "x", "file": "y"}
    assert whole(upload.for_model("w", added)) == form(b"w")


def test_length_of_the_recording():
    """A-117: read from where the recording stands in the form."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 56_000))
    upload = Upload.read(io.BytesIO(form(b"whisper-1", made.getvalue())), TYPE)
    assert upload.seconds() == Fraction("3.5")
    assert whole(upload.for_model("w")) == form(b"w", made.getvalue())
    assert Upload.read(io.BytesIO(form(b"whisper-1")), TYPE).seconds() is None
    raw = form(b"whisper-1").replace(b'name="file"', b'name="other"')
    assert Upload.read(io.BytesIO(raw), TYPE).seconds() is None


def test_a_file_named_model_is_not_the_model():
    raw = form(b"whisper-1").replace(b'name="file"', b'name="model"').replace(b"whisper-1", b"x")
    with pytest.raises(ClientFault):
        Upload.read(io.BytesIO(raw), TYPE)


@pytest.mark.parametrize("raw", [b"", b"--XX", form(b"m")[:-9], form(b"m").replace(b"XX", b"YY")])
def test_a_broken_form_is_the_clients_mistake(raw):
    with pytest.raises(ClientFault) as caught:
        Upload.read(io.BytesIO(raw), TYPE)
    assert caught.value.status == 400


@given(
    content=st.binary(max_size=200),
    cut=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    new=st.binary(max_size=50),
    steps=st.lists(st.integers(1, 60), min_size=1, max_size=20),
    seek=st.integers(0, 300),
)
def test_any_bytes_in_any_place(content, cut, new, steps, seek):
    start, end = sorted(min(place, len(content)) for place in cut)
    wanted = content[:start] + new + content[end:]
    body = Replaced(io.BytesIO(content), start, end, new)
    assert body.seek(0, 2) == len(wanted)
    assert body.seek(seek) == seek
    at = seek
    for step in steps:
        data = body.read(step)
        assert data == wanted[at : at + len(data)]
        assert data or at >= len(wanted)
        at += len(data)
    body.seek(0)
    assert whole(body) == wanted


@pytest.mark.parametrize(("offset", "whence"), [(-1, 0), (-1_000, 2), (0, 1), (0, 9)])
def test_positions_that_are_none(offset, whence):
    with pytest.raises(ValueError, match=r"position|whence"):
        Replaced(io.BytesIO(b"abc"), 0, 0, b"").seek(offset, whence)
