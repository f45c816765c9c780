"""What docs/health.md shows does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from kit.decisions import a_call
from wattline.engine.decide import decide
from wattline.engine.health import Health
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Claim, Windows
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.wire.call import Principal

PAGE = (Path(__file__).parents[2] / "docs" / "health.md").read_text()
ENV = {"OPENAI_KEY_1": "sk-a" * 8, "OPENAI_KEY_2": "sk-b" * 8, "GROQ_KEY": "sk-c" * 8}
GPT, LLAMA = ("openai", "gpt-4o"), ("groq", "llama-3.3-70b")


class Scene:
    """The example's rules, and what a test lets happen."""

    def __init__(self, **env: str) -> None:
        (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        self.book: Book = load(text, env=ENV | env)
        self.windows, self.resting = Windows(), Resting()
        self.health = Health(self.book.health)
        self.view = View(self.windows, self.resting, lambda _: None, health=self.health)

    def decided(self, tier: str | None = None) -> tuple[str | None, list[str]]:
        call = a_call("gpt-4o", principal=Principal("ann", tier=tier))
        plan = decide(call, self.book, self.view, 100.0, 0.0)
        return plan.rule, [target.label for target in plan.targets]

    def good(self, place: tuple[str, str], first_ms: float, times: int = 5) -> None:
        for _ in range(times):
            self.health.good(place, 100.0, first_ms, first_ms)

    def bad(self, place: tuple[str, str], times: int = 5) -> None:
        for _ in range(times):
            self.health.bad(place, "http_500", 100.0)


OPENAI = ["openai/gpt-4o key 1", "openai/gpt-4o key 2"]
GROQ = ["groq/llama-3.3-70b"]


def test_a_slow_target_and_a_healthy_other():
    """B-080: by the average time to the first output, once enough is known."""
    scene = Scene()
    assert scene.decided() == ("by-speed", OPENAI + GROQ)
    scene.good(GPT, 4_100.0, times=4)
    assert scene.decided()[0] == "by-speed"
    scene.good(GPT, 4_100.0, times=1)
    assert scene.decided() == ("openai-is-slow", GROQ + OPENAI)
    scene.resting.rest("groq", 200.0, "it asked to wait", limited=True)
    assert scene.decided() == ("by-speed", OPENAI)


def test_a_window_that_is_nearly_full_with_every_key():
    scene = Scene()
    for key in scene.book.providers["openai"].keys:
        assert scene.decided()[0] == "by-speed"
        (window,) = key.windows
        scene.windows.take([Claim(window, window.name, 451)], 100.0)
    assert scene.decided() == ("openai-is-nearly-full", GROQ + OPENAI)


def test_the_breaker_the_last_target_and_the_variables():
    """B-082, B-145, B-146."""
    scene = Scene()
    scene.bad(GPT)
    assert scene.decided() == ("by-speed", GROQ)
    scene.bad(LLAMA)
    assert scene.decided() == ("by-speed", OPENAI + GROQ)
    never = Scene(DISABLE_PROVIDER_AUTO_DISABLE="true")
    never.bad(GPT, 50)
    assert never.decided() == ("by-speed", OPENAI + GROQ)
    one = Scene(DISABLE_PROVIDER_AFTER_MODELS="1")
    one.bad(("openai", "made-up"))
    assert one.decided() == ("by-speed", OPENAI + GROQ)
    one.good(("openai", "another"), 100.0, times=1)
    one.bad(("openai", "another"), 6)
    assert one.decided() == ("by-speed", GROQ)


def test_the_score_that_a_tier_asks_for():
    """B-062."""
    scene = Scene()
    scene.good(GPT, 3_900.0)
    assert scene.decided("gold") == ("by-speed", GROQ)
    assert scene.decided()[1] == GROQ + OPENAI
