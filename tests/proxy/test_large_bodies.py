"""Large bodies are read, rewritten and told again in threads: the other calls go on meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections import defaultdict

import aiohttp
import pytest
import pytest_asyncio

from kit.providers.fleet import Fleet, fleet
from kit.providers.saying import Saying
from wattline.base.strict_json import MAX_MEMBERS
from wattline.service import attempts, opening
from wattline.service.answering import whole
from wattline.service.large import LARGE, LARGE_TO_REWRITE

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
PROVIDERS = ("anthropic", "openai")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    # Large bodies take their time on a busy machine.
    waits = ("first_byte: 0.25, idle: 0.25", "first_byte: 20, idle: 20")
    async with fleet(tmp_path_factory.mktemp("large"), PROVIDERS, replace=[waits]) as found:
        yield found


@pytest.fixture
def sidecar(started: Fleet):
    started.forget()
    yield started
    started.check()


@pytest.fixture
def where(monkeypatch):
    """Step to whether each of its runs was in the event loop's thread."""
    found: dict[str, list[bool]] = defaultdict(list)
    home = threading.get_ident()

    def watch(module, name):
        work = getattr(module, name)

        def watched(*args, **kwargs):
            found[name].append(threading.get_ident() == home)
            return work(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    watch(opening, "read_object")
    watch(attempts, "outgoing")
    watch(whole, "_heard")
    return found


async def ask(sidecar, model: str, size: int) -> str:
    """Returns what was said. The prompt has about `size` bytes, in small messages."""
    pair = [{"role": "user", "content": "x" * 60}, {"role": "assistant", "content": "y" * 60}]
    messages = [*(pair * (size // 190)), {"role": "user", "content": "And now?"}]
    body = {"model": model, "messages": messages, "max_tokens": 9}
    async with (
        asyncio.timeout(20),
        aiohttp.ClientSession() as session,
        session.post(f"{sidecar.url}/v1/chat/completions", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        said = await answer.json()
    sent = sidecar.provider(model.removeprefix("m-")).last.meaning
    assert len(sent.turns) == len(messages)
    assert said["usage"]["energy"] is not None
    return said["choices"][0]["message"]["content"]


@pytest.mark.parametrize("dialect", PROVIDERS)
async def test_small_bodies_stay_in_the_loop(sidecar, where, dialect):
    """A thread would cost more than the work."""
    await ask(sidecar, f"m-{dialect}", 2_000)
    assert where == {"read_object": [True], "outgoing": [True], "_heard": [True]}


async def test_a_middling_prompt_is_rewritten_in_a_thread(sidecar, where):
    await ask(sidecar, "m-anthropic", LARGE_TO_REWRITE * 2)
    assert where == {"read_object": [True], "outgoing": [False], "_heard": [True]}


async def test_the_same_prompt_is_passed_on_in_the_loop(sidecar, where):
    await ask(sidecar, "m-openai", LARGE_TO_REWRITE * 2)
    assert where == {"read_object": [True], "outgoing": [True], "_heard": [True]}


@pytest.mark.parametrize("dialect", PROVIDERS)
async def test_a_large_prompt_is_read_and_sent_in_a_thread(sidecar, where, dialect):
    await ask(sidecar, f"m-{dialect}", LARGE * 2)
    assert where == {"read_object": [False], "outgoing": [False], "_heard": [True]}


@pytest.mark.parametrize("dialect", PROVIDERS)
async def test_a_large_answer_is_heard_in_a_thread(sidecar, where, dialect):
    text = "Grüße. " * (LARGE // 6)
    sidecar.provider(dialect).script(Saying(texts=(text,)))
    assert await ask(sidecar, f"m-{dialect}", 200) == text
    assert where == {"read_object": [True], "outgoing": [True], "_heard": [False]}


async def test_a_crowded_object_is_refused_in_words(sidecar):
    body = {"model": "m-openai", "messages": [{"role": "user", "content": "Hi"}]}
    body["logit_bias"] = {f"member{number:05}": 1 for number in range(MAX_MEMBERS + 1)}
    data = io.BytesIO(json.dumps(body).encode())
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sidecar.url}/v1/chat/completions", data=data, headers=JSON) as answer,
    ):
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["code"] == "too_many_items"
    assert str(MAX_MEMBERS) in error["message"]
    assert not sidecar.asked
