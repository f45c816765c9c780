"""Pictures: shapes, counts, refusals."""

from __future__ import annotations

import base64
import io

import openai
import pytest

from kit.raw_http import ask

pytestmark = [
    pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning"),  # aiohttp's own, on itself
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # variations, at OpenAI
]


def picture():
    return "a.png", io.BytesIO(b"\x89PNG"), "image/png"


async def test_made_edited_varied(provider):
    """B-202: pixels that decode, counts that add up."""
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="sk-none") as sdk:
        answers = [
            await sdk.images.generate(model="m", prompt="cat!" * 5, n=3),
            await sdk.images.edit(model="m", prompt="a hat", image=picture()),
            await sdk.images.create_variation(model="m", image=picture(), n=2),
        ]
    assert [len(answer.data) for answer in answers] == [3, 1, 2]
    for answer, entry in zip(answers, provider.journal.requests, strict=True):
        assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG\r\n\x1a\n")
        usage = answer.usage
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert (entry.prompt_tokens, entry.completion_tokens) == (
            usage.input_tokens,
            usage.output_tokens,
        )
    assert answers[0].usage.input_tokens == 5


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("generations", {}, "prompt"),
        ("generations", {"prompt": 1}, "prompt"),
        ("generations", {"prompt": "x", "n": 11}, "n"),
        ("generations", {"prompt": "x", "n": "two"}, "n"),
        ("edits", {"prompt": "x"}, "image"),
        ("edits", {"image": "x"}, "prompt"),
        ("variations", {}, "image"),
    ],
)
async def test_refusals(provider, path, body, param):
    wire = await ask(provider.url, f"/v1/images/{path}", body)
    assert wire.status == 400
    assert wire.json()["error"]["param"] == param


async def test_an_edit_in_json(provider):
    wire = await ask(provider.url, "/v1/images/edits", {"prompt": "x", "image": {"url": "u"}})
    assert wire.status == 200
