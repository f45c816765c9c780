"""Chains across dialects: faults of every kind before and after output, as official SDKs see them."""

from __future__ import annotations

import asyncio

import anthropic
import groq
import ollama
import openai
import pytest
import pytest_asyncio
from google.genai import errors as genai_errors

from kit.books import rows
from kit.providers.fleet import DIALECTS, Fleet, fleet
from kit.providers.saying import Fault, Saying
from kit.sdks.all import SDKS
from kit.sdks.asking import Ask, Door

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASYNC = [name for name in SDKS if not name.endswith("-sync")]
ERRORS = {
    "openai-chat": openai.APIError,
    "openai-completions": openai.APIError,
    "openai-responses": openai.APIError,
    "groq": groq.APIError,
    "anthropic": anthropic.APIError,
    "genai": genai_errors.APIError,
    "ollama-chat": ollama.ResponseError,
    "ollama-generate": ollama.ResponseError,
}
BEFORE = (
    Saying(fault=Fault.STATUS, status=500),
    Saying(fault=Fault.ERROR_FIRST, status=503),
    Saying(fault=Fault.CUT_HEAD),
    Saying(fault=Fault.STALL_FIRST),
    Saying(fault=Fault.GARBAGE),
    Saying(fault=Fault.STATUS, status=529),
    Saying(fault=Fault.CUT_FIRST),
    Saying(fault=Fault.EMPTY),
    Saying(fault=Fault.STATUS, status=429),
    Saying(fault=Fault.STALL_HEAD),
    Saying(fault=Fault.STATUS, status=404, message="model `up` not found"),
)
BREAKS = [
    (sdk, dialect, fault)
    for sdk in ASYNC
    for dialect in DIALECTS[:4]
    for fault in (Fault.ERROR_MID, Fault.CUT_MID)
]
BREAKS += [(sdk, "gemini", Fault.STALL_MID) for sdk in ("openai-chat", "anthropic", "ollama-chat")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory):
    async with fleet(tmp_path_factory.mktemp("failover")) as found:
        yield found


@pytest.fixture
def sidecar(started: Fleet):
    started.forget()
    yield started
    started.check()


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request) -> bool:
    return request.param


async def states(sidecar: Fleet) -> list[str]:
    """Of the attempts of this test, once all are settled: a failed one's client does not wait for that."""
    async with asyncio.timeout(10):
        while "sent" in (found := [r["state"] for r in rows(sidecar.state, sidecar.checked)]):
            await asyncio.sleep(0.01)
    return found


def status_of(error: Exception) -> int | None:
    return getattr(error, "status_code", None) or getattr(error, "code", None)


@pytest.mark.parametrize("sdk", ASYNC)
async def test_a_chain_across_all_dialects(sidecar, sdk, stream):
    """Four providers of four dialects fail, each in its own way; the fifth answers."""
    shift = (ASYNC.index(sdk) * 2 + stream) * 3  # each fault comes at each provider
    for place, dialect in enumerate(DIALECTS[:4]):
        sidecar.provider(dialect).script(BEFORE[(shift + place) % len(BEFORE)])
    sidecar.provider("generate").script(Saying(texts=("At last.",)))
    heard = await SDKS[sdk](Door(sidecar.url, breaks=True), "chain", Ask(), stream=stream)
    assert (heard.text, heard.stop, heard.prompt) == ("At last.", "end", 30)
    assert sidecar.asked == list(DIALECTS)
    assert await states(sidecar) == ["failed"] * 4 + ["complete"]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("sdk", ["openai-chat", "anthropic", "genai", "ollama-chat"])
async def test_any_dialect_may_answer(sidecar, sdk, stream, place):
    """The chain ends where the first answers."""
    for dialect in DIALECTS[:place]:
        sidecar.provider(dialect).script(Saying(fault=Fault.STATUS, status=503))
    heard = await SDKS[sdk](Door(sidecar.url, breaks=True), "chain", Ask(), stream=stream)
    assert heard.text == Saying().texts[0]
    assert sidecar.asked == list(DIALECTS[: place + 1])


@pytest.mark.parametrize("sdk", ASYNC)
async def test_nobody_answers(sidecar, sdk, stream):
    """A-073: one error, in the client's dialect."""
    for dialect in DIALECTS:
        sidecar.provider(dialect).script(Saying(fault=Fault.STATUS, status=503))
    with pytest.raises(ERRORS[sdk], match="All providers unavailable") as raised:
        await SDKS[sdk](Door(sidecar.url, breaks=True), "chain", Ask(), stream=stream)
    assert status_of(raised.value) == 500
    assert await states(sidecar) == ["failed"] * 5


@pytest.mark.parametrize(("sdk", "dialect", "fault"), BREAKS)
async def test_an_error_after_output(sidecar, sdk, dialect, fault):
    """It arrives as the client's own kind of stream error; no other provider is tried."""
    sidecar.provider(dialect).script(Saying(fault=fault, texts=("Once upon a time",)))
    with pytest.raises(ERRORS[sdk], match="broke off"):
        await SDKS[sdk](Door(sidecar.url, breaks=True), f"m-{dialect}", Ask(), stream=True)
    assert await states(sidecar) == ["truncated"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sdk", ASYNC)
async def test_a_refused_request(sidecar, sdk, dialect, stream):
    """A provider's 400 is the client's 400, in its dialect, with the provider's words."""
    saying = Saying(fault=Fault.STATUS, status=400, message='temperature: is "too" hot')
    sidecar.provider(dialect).script(saying)
    with pytest.raises(ERRORS[sdk], match=r"temperature: is .{1,2}too.{1,2} hot") as raised:
        await SDKS[sdk](Door(sidecar.url, breaks=True), f"m-{dialect}", Ask(), stream=stream)
    assert status_of(raised.value) == 400
    assert await states(sidecar) == ["failed"]
