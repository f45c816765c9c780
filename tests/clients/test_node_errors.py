"""What Node's SDKs make of errors: their own classes, with status and message, and how often they retry."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kit.node import NAMES, Asker, NodeError, asker
from kit.providers.fleet import DIALECTS, PATIENT, Fleet, fleet
from kit.providers.saying import Fault, Saying
from kit.sdks.asking import Ask, Door

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

RETRYING = ("openai-chat", "openai-responses", "anthropic")
"""These look at `x-should-retry`; Vercel's retries do not."""
BROKE_OFF = "The provider broke off in the middle of its answer"
REFUSED = "The provider refused the request: the message of the provider"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def by_url(node):
    async with asker(node) as found:
        yield found


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request) -> bool:
    return request.param


@pytest.fixture(params=NAMES)
def sdk(request) -> str:
    return request.param


class Failing:
    """Asks of one SDK that go wrong, and how often a provider was asked."""

    def __init__(self, asker: Asker, sidecar: Fleet, sdk: str, *, stream: bool) -> None:
        self.asker, self.sidecar, self.sdk, self.stream = asker, sidecar, sdk, stream
        self.asked = 0

    async def error(self, model: str, status: int = 0, *, fault: Fault = Fault.STATUS) -> NodeError:
        dialect = model.removeprefix("m-")
        if dialect in DIALECTS:
            saying = Saying(fault=fault, status=status or 500)
            self.sidecar.provider(dialect).script(saying, saying, saying)
        before = len(self.sidecar.asked)
        retries = 1 if self.sdk in RETRYING else 0
        with pytest.raises(NodeError) as raised:
            await self.asker.ask(
                self.sdk, Door(self.sidecar.url), model, Ask(), stream=self.stream, retries=retries
            )
        self.asked = len(self.sidecar.asked) - before
        return raised.value

    def kind(self, own: str) -> str:
        return own if self.sdk in RETRYING else "APICallError"


async def test_errors(by_url, tmp_path, sdk, stream):
    """Each error is of the class that its status has in the SDK, with the message. When no target is left
    to be tried, the SDK does not begin again by itself, unless it was a matter of time.
    """
    async with fleet(tmp_path, replace=[PATIENT]) as sidecar:
        failing = Failing(by_url, sidecar, sdk, stream=stream)

        error = await failing.error("m-ollama", 400)
        assert (error.kind, error.status, failing.asked) == (
            failing.kind("BadRequestError"),
            400,
            1,
        )
        assert REFUSED in error.message

        error = await failing.error("nonsense")
        assert (error.kind, error.status, failing.asked) == (failing.kind("NotFoundError"), 404, 0)
        assert "The model 'nonsense' is not known here." in error.message

        error = await failing.error("m-anthropic", 529)
        assert (error.kind, error.status) == (failing.kind("InternalServerError"), 500)
        assert "anthropic http_529" in error.message
        assert failing.asked == 1

        error = await failing.error("m-gemini", 429)
        assert (error.kind, error.status) == (failing.kind("RateLimitError"), 429)
        assert failing.asked == (2 if sdk in RETRYING else 1)


async def test_errors_in_the_middle(by_url, tmp_path, sdk):
    """What breaks off after its first words is an error with a message, never a short answer."""
    async with fleet(tmp_path, replace=[PATIENT]) as sidecar:
        failing = Failing(by_url, sidecar, sdk, stream=True)
        for dialect in ("anthropic", "openai", "gemini", "ollama"):
            for fault in (Fault.ERROR_MID, Fault.CUT_MID):
                error = await failing.error(f"m-{dialect}", fault=fault)
                assert BROKE_OFF in error.message
                assert failing.asked == 1
