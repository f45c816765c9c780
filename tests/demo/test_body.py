from __future__ import annotations

import gzip

import pytest

from kit.raw_http import RawClient, ask
from wattline.demo import body as body_module

CHAT, AUDIO = "/v1/chat/completions", "/v1/audio/transcriptions"


def _form(*parts: tuple[str, bytes], boundary: str = "xx") -> tuple[bytes, dict[str, str]]:
    lines = b"".join(
        f"--{boundary}\r\ncontent-disposition: form-data; {name}\r\n\r\n".encode() + value + b"\r\n"
        for name, value in parts
    )
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return lines + f"--{boundary}--\r\n".encode(), headers


FILE = ('name="file"; filename="a.wav"', b"\0" * 16_000)
MODEL = ('name="model"', b"whisper-1")


async def test_a_form_is_read(provider):
    body, headers = _form(MODEL, FILE)
    wire = await ask(provider.url, AUDIO, body, headers=headers)
    assert wire.json()["duration"] == 1
    assert provider.journal.requests[0].model == "whisper-1"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=xx"),
        (b"garbage", "multipart/form-data; boundary=xx"),
        (b"--xx\r\n", "multipart/form-data; boundary=xx"),
        (b"--xx\r\ncontent-disposition: form-data\r\n\r\n", "multipart/form-data; boundary=xx"),
        (b"--xx\r\n\xff\xff: 1\r\n\r\n1\r\n--xx--\r\n", "multipart/form-data; boundary=xx"),
        (
            b"--xx\r\ncontent-type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--xx--\r\n",
            "multipart/form-data; boundary=xx",
        ),
        (b"--xx\r\n\r\n--xx--\r\n", f"multipart/form-data; boundary={'x' * 200}"),
    ],
)
async def test_a_broken_form_is_a_bad_request(provider, body, content_type):
    wire = await ask(provider.url, AUDIO, body, headers={"content-type": content_type})
    assert wire.status == 400
    assert wire.json()["error"]["type"] == "invalid_request_error"


async def test_a_form_has_bounds(provider, monkeypatch):
    body, headers = _form(*[MODEL] * 101)
    assert (await ask(provider.url, AUDIO, body, headers=headers)).status == 400
    monkeypatch.setattr(body_module, "MOST_FILE_BYTES", 1000)
    body, headers = _form(MODEL, FILE)
    assert (await ask(provider.url, AUDIO, body, headers=headers)).status == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"model":NaN}', b'{"a":1}x']
)
async def test_what_is_no_json_object_is_a_bad_request(provider, body):
    wire = await ask(provider.url, CHAT, body)
    assert wire.status == 400
    assert "could not parse" in wire.json()["error"]["message"]


async def test_a_body_too_large_is_refused_by_its_length_or_as_it_comes(provider, monkeypatch):
    monkeypatch.setattr(body_module, "MOST_BYTES", 1000)
    assert (await ask(provider.url, CHAT, b"x" * 2000)).status == 413
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, headers={"transfer-encoding": "chunked"})
        client.writer.write(b"7d0\r\n" + b"x" * 2000 + b"\r\n")
        assert (await client.answer()).status == 413


async def test_a_broken_encoding_is_a_bad_request(provider):
    headers = {"content-encoding": "gzip"}
    assert (await ask(provider.url, CHAT, b"no gzip at all", headers=headers)).status == 400
    async with await RawClient.connect(provider.url) as client:
        client.send("POST", CHAT, headers={"transfer-encoding": "chunked"})
        client.writer.write(b"zz\r\n")
        assert (await client.answer()).status == 400


async def test_a_compressed_body_is_bounded_by_what_it_unpacks_to(provider, monkeypatch):
    monkeypatch.setattr(body_module, "MOST_BYTES", 100_000)
    bomb = gzip.compress(b" " * 10_000_000)
    wire = await ask(provider.url, CHAT, bomb, headers={"content-encoding": "gzip"})
    assert wire.status == 413


async def test_expect_100_continue_is_answered(provider):
    async with await RawClient.connect(provider.url) as client:
        client.send(
            "POST", "/v1/embeddings", headers={"expect": "100-continue", "content-length": "25"}
        )
        assert (await client.head()).status == 100
        client.writer.write(b'{"model":"m","input":"x"}')
        assert (await client.answer()).status == 200
