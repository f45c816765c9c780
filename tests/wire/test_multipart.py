"""Text fields of uploads."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.wire import multipart
from wattline.wire.http import Request, Use
from wattline.wire.multipart import read_fields, read_form, read_parts

TYPE = "multipart/form-data; boundary=xYz"


def part(name: str, value: bytes, extra: str = "") -> bytes:
    return (
        f'--xYz\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
        + value
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xYz--\r\n"


FILE = part("file", b"RIFF\r\n--xY\0\r\n\r\n--", '; filename="a.wav"\r\nContent-Type: audio/wav')
GOOD = form(FILE, part("model", b"whisper-1"), part("language", "d\u00e9".encode()))


def values(body: bytes, content_type: str = TYPE) -> dict[str, str]:
    return {
        name: field.value for name, field in read_fields(io.BytesIO(body), content_type).items()
    }


def test_the_model_of_an_upload_is_found_wherever_it_stands() -> None:
    """A-031."""
    wanted = {"model": "whisper-1", "language": "d\u00e9"}
    assert values(GOOD) == wanted
    assert (
        values(form(part("model", b"whisper-1"), FILE, part("language", "d\u00e9".encode())))
        == wanted
    )
    assert values(b"preamble\r\n" + GOOD + b"epilogue") == wanted
    assert values(GOOD[:-2]) == wanted


def test_offsets_are_those_of_the_value() -> None:
    for block in (1, 7, 1000):
        source = io.BytesIO(GOOD)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(multipart, "BLOCK", block)
            field = read_fields(source, TYPE)["model"]
        assert GOOD[field.start : field.end] == b"whisper-1"
        assert source.tell() == 0


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="xYz"',
        "Multipart/Form-Data;boundary=xYz;charset=utf-8",
        "multipart/form-data; charset=utf-8; BOUNDARY=xYz",
    ],
)
def test_forms_of_the_content_type(content_type: str) -> None:
    assert values(GOOD, content_type)["model"] == "whisper-1"


def test_a_request_may_hold_its_upload_in_a_file_or_in_memory() -> None:
    def request(body: bytes, spool: io.BytesIO | None) -> Request:
        headers = (("content-type", TYPE),)
        return Request("r", "POST", "http", "h", 1, "/", headers, body, "p", Use.REVERSE, spool)

    assert read_form(request(b"", io.BytesIO(GOOD)))["model"] == "whisper-1"
    assert read_form(request(GOOD, None))["model"] == "whisper-1"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (GOOD, "", 415),
        (GOOD, "application/json", 415),
        (GOOD, "multipart/mixed; boundary=xYz", 415),
        (GOOD, "multipart/form-data", 400),
        (GOOD, "multipart/form-data; boundary=", 400),
        (GOOD, 'multipart/form-data; boundary=""', 400),
        (GOOD, "multipart/form-data; boundary=xYz; boundary=abc", 400),
        (GOOD, f"multipart/form-data; boundary={'x' * 71}", 400),
        (GOOD, f"multipart/form-data; boundary={'x' * 1_000_000}", 400),
        (GOOD, "multipart/form-data; boundary=x\u00e9", 400),
        (GOOD, "multipart/form-data; boundary=other", 400),
        (b"", TYPE, 400),
        (b"--xYz", TYPE, 400),
        (b"--xYz\r\n", TYPE, 400),
        (b"--xYz\r\n\r\nbare\r\n--xYz--", TYPE, 400),
        (b"--xYz junk\r\n" + GOOD, TYPE, 400),
        (form(part("model", b"a"), part("model", b"b")), TYPE, 400),
        (form(part("model", b"a"), part("model", b"b", '; filename="m"')), TYPE, 400),
        (form(part("model", b"\xff")), TYPE, 400),
        (form(part("model", b"x" * 140_000)), TYPE, 400),
        (form(part("model", b"a", '; name="user"')), TYPE, 400),
        (form(part("a", b"b", "\r\nContent-Disposition: form-data; name=model")), TYPE, 400),
        (form(part("m", b"a", "; x=" + "y" * 9000)), TYPE, 400),
        (form(*[part(f"f{i}", b"x") for i in range(70)]), TYPE, 400),
        (b"--xYz\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xYz--", TYPE, 400),
        (b"--xYz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xYz--", TYPE, 400),
    ],
)
def test_bad_forms_are_refused(body: bytes, content_type: str, status: int) -> None:
    """A-151: no way to name the model in two ways, or to make the reader hold without bound."""
    with pytest.raises(ClientFault) as caught:
        values(body, content_type)
    assert caught.value.status == status


def test_every_cut_is_refused() -> None:
    last = GOOD.rindex(b"--\r\n")
    for cut in range(last):
        with pytest.raises(ClientFault):
            values(GOOD[:cut])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"--xYz",
                b"\r\n",
                b"--",
                b"x",
                part("model", b"m"),
                b"Content-Disposition: form-data; name=",
                b'"',
                b";",
            ]
        ),
        max_size=12,
    ).map(b"".join)
)
def test_any_bytes_give_fields_or_a_client_fault(body: bytes) -> None:
    try:
        found = read_fields(io.BytesIO(body), TYPE)
    except ClientFault as fault:
        assert fault.status == 400  # noqa: PT017  (either outcome is right)
    else:
        assert all(body[f.start : f.end].decode() == f.value for f in found.values())


def test_a_large_file_is_not_held() -> None:
    class Counting(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            self.largest = max(self.largest, size or 0)
            assert size is not None
            assert size > 0
            return super().read(size)

    source = Counting(
        form(part("file", b"\r\n--xY" * 500_000, "; filename=f"), part("model", b"m"))
    )
    assert read_fields(source, TYPE)["model"].value == "m"
    assert source.largest <= multipart.BLOCK


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_files_are_where_they_stand(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "BLOCK", block)
    empty = part("empty", b"", '; filename="b"')
    body = form(FILE, part("model", b"m"), empty)
    files = read_parts(io.BytesIO(body), TYPE).files
    assert {name: body[start:end] for name, (start, end) in files.items()} == {
        "file": b"RIFF\r\n--xY\0\r\n\r\n--",
        "empty": b"",
    }


def test_a_field_of_several_may_stand_several_times() -> None:
    """B-024: `image[]`, as SDKs send pictures; the first is read, all of them stay in the body."""
    body = form(
        part("image[]", b"\x89PNG\r\n--x", '; filename="a.png"'),
        part("model", b"m"),
        part("image[]", b"other", '; filename="b.png"'),
        part("include[]", b"one"),
        part("include[]", b"two"),
    )
    found = read_parts(io.BytesIO(body), TYPE)
    assert {name: field.value for name, field in found.fields.items()} == {
        "model": "m",
        "include[]": "one",
    }
    span = found.files["image[]"]
    assert body[span.start : span.end] == b"\x89PNG\r\n--x"
