"""Pictures through the official SDK: made, edited as a form or as JSON, varied."""

from __future__ import annotations

import base64
import io
import ssl
from contextlib import asynccontextmanager

import openai
import pytest

from kit.books import check_books, rows
from kit.scripted import scripted
from kit.sidecars import running

pytestmark = [
    pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning"),  # aiohttp's own, on itself
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # variations, at OpenAI
]

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


@asynccontextmanager
async def sdk(sidecar, way="base-url"):
    """The async client, as a base URL or through the intercepting proxy."""
    host, port = sidecar.address
    options = {"trust_env": False}
    url = f"http://{host}:{port}/v1"
    if way != "base-url":
        url = "https://api.openai.com/v1"
        options["proxy"] = f"http://{host}:{port}"
        options["verify"] = ssl.create_default_context(cafile=str(sidecar.ca))
    http = openai.DefaultAsyncHttpxClient(**options)
    async with openai.AsyncOpenAI(
        base_url=url, api_key="sk-none", http_client=http, max_retries=0
    ) as found:
        yield found


def picture(name="a.png"):
    return name, io.BytesIO(PICTURE), "image/png"


@pytest.mark.parametrize("way", ["base-url", "https-proxy"])
async def test_made_edited_and_varied(tmp_path, way):
    """B-023, B-024: the target's name of the model, the provider's own counts, energy in the answer."""
    async with running(tmp_path, 1) as sidecar, sdk(sidecar, way) as api:
        answers = [
            await api.images.generate(model="m", prompt="a cat", n=2),
            await api.images.edit(model="m", prompt="a hat", image=picture()),
            await api.images.edit(model="m", prompt="both", image=[picture("a"), picture("b")]),
            await api.images.create_variation(model="m", image=picture(), n=1),
        ]
        for answer in answers:
            assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")
            assert answer.usage.energy == answer.usage.total_tokens / 2 * 1.5
            assert answer.usage.input_tokens_details.image_tokens >= 0
        assert len(answers[0].data) == 2
        assert {seen.model for seen in sidecar.upstreams[0].journal.requests} == {"up0"}
    found = rows(sidecar.state)
    assert {(row["operation"], row["source"]) for row in found} == {("images", "provider")}
    assert found[2]["estimate"] > 700, "a picture counts"
    check_books(sidecar)


async def test_an_upload_goes_whole_to_the_next_provider(tmp_path):
    """B-024: after a failure of the first, byte for byte but for the model."""
    async with running(tmp_path, 2) as sidecar, sdk(sidecar) as api:
        first, second = sidecar.upstreams
        first.script(["500"])
        answer = await api.images.edit(model="m", prompt="a hat", image=picture())
        assert answer.usage.energy
        assert [
            seen.model for upstream in (first, second) for seen in upstream.journal.requests
        ] == [
            "up0",
            "up1",
        ]
    assert [row["state"] for row in rows(sidecar.state)] == ["failed", "complete"]
    check_books(sidecar)


async def test_an_edit_in_json(tmp_path):
    """B-024: as xAI takes it, and OpenAI too."""
    async with running(tmp_path, 1) as sidecar:
        body = {"model": "m", "prompt": "a hat", "image": {"url": "https://example.com/a.png"}}
        reply = await sidecar.call(body, path="/v1/images/edits")
        assert reply.status == 200, reply.body
        assert reply.json()["usage"]["energy"] > 0
        for bad in (b"{", b"[]", b'{"model": "m", "model": "n"}', b'{"model": "m"}'):
            reply = await sidecar.call(bad, path="/v1/images/edits")
            assert reply.status == 400, bad
        reply = await sidecar.call(body, path="/v1/images/variations")
        assert reply.status == 415
    (row,) = rows(sidecar.state)
    assert row["model"] == "up0"
    check_books(sidecar)


async def test_a_form_that_names_no_model_gets_the_targets(tmp_path):
    """B-024: OpenAI's default is called by another name there."""
    extra = "rules: [{name: pictures, when: {}, try: [m0]}]"
    async with running(tmp_path, 1) as sidecar:
        text = sidecar.rules.read_text().replace(
            "dialect: openai", "dialect: openai\n    defaults: {response_format: verbose_json}"
        )
        sidecar.rules.write_text(text.partition("rules:")[0] + extra)
        await sidecar.sidecar.books.fresh()
        async with sdk(sidecar) as api:
            await api.images.create_variation(image=picture())
        (seen,) = sidecar.upstreams[0].journal.requests
        assert seen.model == "up0"
    (row,) = rows(sidecar.state)
    assert row["requested"] == "dall-e-2"
    check_books(sidecar)


IMAGEN = """
version: 1
providers:
  imagen: {{url: {url}/v1beta/openai, key: "${{GEMINI_API_KEY}}"}}
models:
  pictures: {{provider: imagen, name: imagen-4.0-generate-001, rate: 2}}
rules: [{{name: all, try: model}}]
"""


async def test_imagen_is_a_provider_like_others(tmp_path):
    """B-004: Google's pictures, at the address where Google speaks OpenAI's API."""
    made = {"created": 1, "data": [{"b64_json": base64.b64encode(PICTURE).decode()}]}
    path = "/v1beta/openai/images/generations"
    async with (
        scripted({path: made}) as google,
        running(
            tmp_path, 0, text=IMAGEN.format(url=google.url), env={"GEMINI_API_KEY": "sk-of-google"}
        ) as sidecar,
        sdk(sidecar) as api,
    ):
        for name in ("pictures", "imagen/imagen-4.0-generate-001"):
            answer = await api.images.generate(model=name, prompt="a cat", n=1)
            assert base64.b64decode(answer.data[0].b64_json) == PICTURE
            asked, headers, body = google.last
            assert (asked, headers["authorization"]) == (path, "Bearer sk-of-google")
            assert body == {"model": "imagen-4.0-generate-001", "prompt": "a cat", "n": 1}
    assert {row["provider"] for row in rows(sidecar.state)} == {"imagen"}
