"""Which pictures are fetched for which target, and where they are put."""

from __future__ import annotations

import json

import pytest

from kit.exchanges import exchange
from wattline.base.errors import ClientFault
from wattline.dialects.codecs import client_codec, provider_side
from wattline.service.outgoing.inlining import Inlining
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.prompting import CannotExpress
from wattline.upstream.image_policy import ImagePolicy
from wattline.wire.pictures import Fetched

A, B = "https://a.test/a.png", "https://b.test/b.png"
PNG = Fetched("image/png", b"\x89PNG\r\n\x1a\n")
CHAT = "/v1/chat/completions"


class FakeImages:
    """Notes what it is asked for, and has every picture but those at `missing`."""

    def __init__(self, *missing: str) -> None:
        self.missing = missing
        self.asked: list[tuple[list[str], list[str], str | None, str | None]] = []

    async def fetch_all(self, wanted, policy, referer, authorization):  # noqa: ARG002  (as it is called)
        wanted = list(wanted)
        urls, params = [image.url for image in wanted], [image.param for image in wanted]
        self.asked.append((urls, params, referer, authorization))
        for image in wanted:
            if image.url in self.missing:
                raise ClientFault("no picture", param=image.param)
        return dict.fromkeys(urls, PNG)


def passage(found, provider):
    """To `p` as the client wrote it, to `o` in Ollama's words."""
    if provider == "p":
        return Passage(found.dialect)
    codec = client_codec("openai", found.call.operation)
    return Passage(found.dialect, codec, provider_side("ollama", "o.test"), foreign=True)


def chat(*urls, text="hi"):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": text}, *parts]
    said = [{"role": "system", "content": "Look."}, {"role": "user", "content": content}]
    return {"model": "m", "messages": said}


async def prepare(found, images, *providers):
    inlining = Inlining(images, ImagePolicy())
    for provider in providers:
        await inlining.prepare(found, passage(found, provider))
    return found


async def test_native_target_has_the_body_with_the_pictures():
    """B-170"""
    images = FakeImages()
    found = await prepare(exchange(CHAT, chat(A, "data:,x", B)), images, "p")
    fields = [f"messages[1].content[{n}].image_url.url" for n in (1, 3)]
    assert images.asked == [([A, B], fields, None, None)]
    assert found.inlined is not None
    wanted = chat(PNG.data_url, "data:,x", PNG.data_url)
    assert json.loads(found.inlined) == wanted
    assert json.loads(found.body) == chat(A, "data:,x", B)


@pytest.mark.parametrize("order", ["po", "op", "pp", "oo", "popo"])
async def test_fetched_once_whatever_the_targets(order):
    images = FakeImages()
    found = await prepare(exchange(CHAT, chat(A)), images, *order)
    assert len(images.asked) == 1
    assert found.pictures == {A: PNG}
    assert (found.inlined is not None) == ("p" in order)


async def test_body_is_written_once():
    found = await prepare(exchange(CHAT, chat(A)), FakeImages(), "p")
    first = found.inlined
    assert (await prepare(found, FakeImages(), "p")).inlined is first


async def test_call_without_pictures_asks_nothing():
    images = FakeImages()
    for body in (chat(text=A), chat("data:image/png;base64,AA==")):
        found = await prepare(exchange(CHAT, body), images, "p", "o")
        assert not found.pictures
        assert found.inlined is None
    assert all(urls == [] for urls, *_ in images.asked)


@pytest.mark.parametrize("provider", ["p", "o"])
async def test_fault_names_the_clients_own_field(provider):
    """B-171: also where the prompt that is translated has places of its own."""
    with pytest.raises(ClientFault) as caught:
        await prepare(exchange(CHAT, chat(A, B)), FakeImages(B), provider)
    assert caught.value.param == "messages[1].content[2].image_url.url"


async def test_fault_is_told_again_for_the_next_target():
    """Nothing half-fetched is kept."""
    found = exchange(CHAT, chat(A, B))
    with pytest.raises(ClientFault):
        await prepare(found, FakeImages(B), "p")
    assert found.pictures is None
    assert (await prepare(found, FakeImages(), "p")).pictures == {A: PNG, B: PNG}


@pytest.mark.parametrize("name", ["x-image-fetch-referer", "x-image-referer"])
async def test_referer_and_authorization_are_the_calls(name):
    """B-154, B-172: whether the latter is sent is for the policy."""
    images = FakeImages()
    headers = ((name, "https://mine.test/"), ("authorization", "Bearer x"))
    await prepare(exchange(CHAT, chat(A), *headers), images, "p")
    assert images.asked[0][2:] == ("https://mine.test/", "Bearer x")


async def test_prompt_that_cannot_be_read_is_the_targets_trouble():
    """Another target may take it as it is."""
    body = chat(A)
    body["messages"][1]["content"][1]["image_url"]["url"] = 3
    found = exchange(CHAT, body)
    with pytest.raises(CannotExpress):
        await prepare(found, FakeImages(), "o")
    assert (await prepare(found, FakeImages(), "p")).inlined is None


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", ""])
async def test_what_nobody_should_fetch_is_not_passed_on_either(url):
    """A provider near us might read its own machine's files for it."""
    body = chat(A)
    part = {"type": "image_url", "image_url": {"url": url}}
    body["messages"][1]["content"].append(part)
    images = FakeImages()
    with pytest.raises(ClientFault) as raised:
        await prepare(exchange(CHAT, body), images, "p")
    assert raised.value.param == "messages[1].content[2].image_url.url"
    assert images.asked == []


@pytest.mark.parametrize("wrong", [None, 3, [], {}, {"url": None}, {"url": []}])
async def test_native_target_gets_what_is_no_url_as_it_is(wrong):
    images = FakeImages()
    body = chat(A)
    body["messages"][1]["content"].append({"type": "image_url", "image_url": wrong})
    found = await prepare(exchange(CHAT, body), images, "p")
    assert images.asked[0][0] == [A]
    assert json.loads(found.inlined)["messages"][1]["content"][2]["image_url"] == wrong
