"""What the provider keeps: videos that take a while, responses."""

from __future__ import annotations

import openai
import pytest

from kit.raw_http import ask
from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.kept import KEEP, VIDEO, Kept

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning"),  # aiohttp's own, on itself
]


async def test_a_video_takes_a_while(provider):
    """B-025, B-026: each question takes it one step further."""
    async with openai.AsyncOpenAI(
        base_url=f"{provider.url}/v1", api_key="sk-none", max_retries=0
    ) as sdk:
        made = await sdk.videos.create(model="m", prompt="a cat", size="1280x720")
        assert (made.status, made.progress, made.size) == ("queued", 0, "1280x720")
        with pytest.raises(openai.BadRequestError, match="not ready"):
            await sdk.videos.download_content(made.id)
        done = await sdk.videos.poll(made.id, poll_interval_ms=1)
        assert (done.status, done.progress) == ("completed", 100)
        assert done.completed_at
        assert (await sdk.videos.download_content(made.id)).content == VIDEO
        assert (await sdk.videos.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await sdk.videos.retrieve(made.id)


async def test_a_response_is_the_same_again(provider):
    """Streamed or whole; cancelled only where it ran in the background."""
    async with openai.AsyncOpenAI(
        base_url=f"{provider.url}/v1", api_key="sk-none", max_retries=0
    ) as sdk:
        made = await sdk.responses.create(model="m", input="hello")
        assert (await sdk.responses.retrieve(made.id)).model_dump() == made.model_dump()
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            await sdk.responses.cancel(made.id)
        stream = [e async for e in await sdk.responses.create(model="m", input="x", stream=True)]
        again = await sdk.responses.retrieve(stream[0].response.id)
        assert again.output_text == stream[-1].response.output_text
        behind = await sdk.responses.create(model="m", input="hello", background=True)
        assert (await sdk.responses.cancel(behind.id)).status == "cancelled"
        assert (await sdk.responses.retrieve(behind.id)).status == "cancelled"
        items = await sdk.responses.input_items.list(behind.id)
        assert [item.role for item in items.data] == ["user"]
        await sdk.responses.delete(behind.id)
        unkept = await sdk.responses.create(model="m", input="hello", store=False)
        for gone in (behind, unkept):
            with pytest.raises(openai.NotFoundError):
                await sdk.responses.retrieve(gone.id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/videos/none"),
        ("GET", "/v1/videos/none/contents"),
        ("PUT", "/v1/videos/none"),
        ("POST", "/v1/responses/none/cancel"),
        ("GET", "/v1/responses/none/cancel"),
        ("GET", "/v1/videos/a/b/c"),
        ("GET", "/v1/videos/"),
    ],
)
async def test_nothing_there(provider, method, path):
    wire = await ask(provider.url, path, {}, method=method)
    assert wire.status == 404


async def test_kinds_are_kept_apart():
    kept = Kept()
    made = kept.response(Asked(1, 0, {"model": "m", "input": "x"})).body
    with pytest.raises(Refused):
        kept.answer("GET", f"/v1/videos/{made['id']}")


async def test_only_the_latest_are_kept():
    kept = Kept()
    for number in range(KEEP + 1):
        kept.video(Asked(number, 0, {"prompt": "x"}))
    assert kept.answer("GET", f"/v1/videos/video_demo{KEEP:08d}") is not None
    with pytest.raises(Refused):
        kept.answer("GET", "/v1/videos/video_demo00000000")
