"""Every translation by every party, and where they disagree with ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from corpus import PAIRS, REQUESTS
from meaning import meaning
from parties import Answer, LiteLlm, Ours, Party, Refused, Rosetta

from kit.providers.anthropic import FakeAnthropic
from kit.providers.gemini import FakeGemini
from kit.providers.openai_chat import FakeOpenAi
from kit.providers.saying import Called, Saying

CALLS = (
    Called("toolu_1", "weather", {"city": "Zürich"}),
    Called("toolu_2", "weather", {"city": "Bern"}),
)
SAYINGS = {
    "text": Saying(texts=("Hello there.",)),
    "thought": Saying(texts=("Hello there.",), thought="Let me think.", reasoning=5),
    "calls": Saying(texts=(), calls=CALLS),
    "text and call": Saying(texts=("I look.",), calls=CALLS[:1]),
    "cut by the limit": Saying(texts=("Hello",), stop="length"),
    "filtered": Saying(texts=("I can't.",), stop="filter"),
    "cached tokens": Saying(texts=("Hello there.",), cached=10),
    "written tokens": Saying(texts=("Hello there.",), cached=10, written=7),
}
KINDS = {"openai": FakeOpenAi, "anthropic": FakeAnthropic, "gemini": FakeGemini}


@dataclass(frozen=True, order=True)
class Difference:
    """One field in which a party differs from us."""

    way: str
    """`request`, `answer` or `stream`."""
    client: str
    provider: str
    case: str
    field: str
    party: str
    ours: str
    theirs: str

    @property
    def key(self) -> str:
        """By what a judgement finds it: everything but the values."""
        return f"{self.way}/{self.client}/{self.provider}/{self.case}/{self.field}/{self.party}"


def differences() -> Iterator[Difference]:
    """All of them."""
    others: list[Party] = [LiteLlm(), Rosetta()]
    for client, provider in PAIRS:
        for case, body in REQUESTS[client].items():
            yield from _compare("request", client, provider, case, others, body)
        for case, saying in SAYINGS.items():
            if saying.written and provider != "anthropic":
                continue
            fake = KINDS[provider]("k")
            whole, (frames, _) = fake.whole(saying), fake.frames(saying)
            yield from _compare("answer", client, provider, case, others, Answer(whole))
            yield from _compare("stream", client, provider, case, others, Answer(None, frames))


def _compare(
    way: str, client: str, provider: str, case: str, others: list[Party], what: Any
) -> Iterator[Difference]:
    ours = _view(Ours(), way, client, provider, what)
    for party in others:
        theirs = _view(party, way, client, provider, what)
        if "refused" in ours or "refused" in theirs:
            ours_, theirs_ = (
                {"refused": view.get("refused", "translated")} for view in (ours, theirs)
            )
            if set(ours) == set(theirs) == {"refused"}:
                continue
        else:
            ours_, theirs_ = ours, theirs
        for field in {**ours_, **theirs_}:
            pair = ours_.get(field), theirs_.get(field)
            if pair[0] != pair[1]:
                shown = (_shown(value) for value in pair)
                yield Difference(way, client, provider, case, field, party.name, *shown)


def _view(party: Party, way: str, client: str, provider: str, what: Any) -> dict[str, Any]:
    if way == "request":
        try:
            found = party.request(client, provider, what)
        except Refused as refused:
            return {"refused": str(refused).split("\n")[0][:120]}
        view = meaning(provider, "", found)
        return {key: value for key, value in view.items() if value is not None}
    try:
        return party.answer(client, provider, what)
    except Exception as error:  # noqa: BLE001  (an oracle that can't is a disagreement)
        return {"refused": f"{type(error).__name__}: {error}".split("\n")[0][:120]}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n").replace("|", "\\|")
    return text if len(text) <= 160 else text[:157] + "…"
