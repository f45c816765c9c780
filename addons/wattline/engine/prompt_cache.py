"""What broke a provider's prompt cache: this prompt of a conversation beside the one before it.

Nothing of a prompt is here: digests of its blocks, their kinds, and about how many tokens each has. Providers
keep the start of a prompt, so all before the first block that differs may be read from their cache.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wattline.engine.affinity import Place
from wattline.wire.usage import Usage, UsageSource

LEAST: Final = 1_024
"""Tokens below which providers keep nothing
(https://platform.openai.com/docs/guides/prompt-caching)."""
SLACK: Final = 0.1
"""Part of the prompt that may go unread without a break: they keep whole blocks of tokens."""
SHORT: Final = 300.0
"""Seconds that the shortest caches keep a prompt."""
MOST: Final = 1_000
SHOWN: Final = 10
"""Breaks of a conversation that are remembered."""


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a prompt; `tokens` is an estimate, `digest` says nothing outside this process."""

    kind: str
    index: int
    role: str
    digest: bytes
    tokens: int


type Blocks = tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Break:
    """Fewer tokens were read than the prompt before had. `code` is `system`, `tools`, `tools_order`, `message`,
    `shortened`, `target`, `expired` or `not_kept`; `index` the block's place in its field; `at` Unix seconds.
    """

    at: float
    code: str
    text: str
    role: str
    index: int | None
    lost: int
    """Tokens that were read anew."""
    dollars: float | None
    """What they cost more than out of the cache; None: no public price."""
    place: Place


@dataclass(slots=True)
class Conversation:
    """One caller's calls that begin alike."""

    principal: str
    model: str
    name: str
    calls: int = 0
    prompt: int = 0
    cached: int = 0
    lost: int = 0
    dollars: float = 0.0
    causes: Counter[str] = field(default_factory=Counter)
    breaks: deque[Break] = field(default_factory=lambda: deque(maxlen=SHOWN))
    last: Last | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Last:
    """The prompt before. `at` is monotonic seconds."""

    blocks: Blocks
    place: Place
    prompt: int
    at: float


class PromptCaches:
    """The conversations of the last while, at most `most`. Times: `now` monotonic, `wall` Unix seconds."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._known: OrderedDict[tuple[str, str, str], Conversation] = OrderedDict()
        self._reporting: set[Place] = set()

    def conversations(self) -> list[Conversation]:
        """The latest first."""
        return list(reversed(self._known.values()))

    def seen(
        self,
        who: tuple[str, str, str],
        blocks: Blocks,
        place: Place,
        usage: Usage,
        now: float,
        wall: float,
        price: Callable[[int], float | None] = lambda _: None,
    ) -> Break | None:
        """A call was answered there. `who` is principal, model and the conversation's name; `price` says what
        so many tokens cost more than out of the cache.
        """
        if usage.source is not UsageSource.PROVIDER:
            return None
        found = self._known.setdefault(who, Conversation(*who))
        self._known.move_to_end(who)
        while len(self._known) > self.most:
            self._known.popitem(last=False)
        self._note(place, usage)
        broken = self._judge(found.last, blocks, place, usage, now, wall, price)
        found.last = Last(blocks, place, usage.prompt, now)
        found.calls += 1
        found.prompt += usage.prompt
        found.cached += usage.cached
        if broken is not None:
            found.breaks.append(broken)
            found.causes[broken.code] += 1
            found.lost += broken.lost
            found.dollars += broken.dollars or 0.0
        return broken

    def _note(self, place: Place, usage: Usage) -> None:
        """It tells what it read from its cache. Those that never do can't be judged by what they leave out."""
        if (usage.cached or usage.written) and len(self._reporting) < 10 * self.most:
            self._reporting.add(place)

    def _judge(
        self,
        last: Last | None,
        blocks: Blocks,
        place: Place,
        usage: Usage,
        now: float,
        wall: float,
        price: Callable[[int], float | None],
    ) -> Break | None:
        if last is None or last.prompt < LEAST:
            return None
        lost = min(last.prompt, usage.prompt) - usage.cached
        if lost <= max(SLACK * last.prompt, 128):
            return None
        at = differs(last.blocks, blocks)
        if at is None and place == last.place and place not in self._reporting:
            return None
        code, text, block = cause(last, blocks, place, now, at)
        role, index = (block.role, block.index) if block is not None else ("", None)
        return Break(wall, code, text, role, index, lost, price(lost), place)


def differs(before: Blocks, after: Blocks) -> int | None:
    """The place of the first block of the prompt before that is not there any more; None: all of it begins
    this one.
    """
    for place, old in enumerate(before):
        if place >= len(after) or after[place].digest != old.digest:
            return place
    return None


def cause(
    last: Last, blocks: Blocks, place: Place, now: float, at: int | None
) -> tuple[str, str, Block | None]:
    """Code, words and block. A change of the prompt counts before what else may have been the cause."""
    if at is not None:
        return _changed(last.blocks, blocks, at)
    if place != last.place:
        return "target", f"another target: {'/'.join(last.place)} answered the call before", None
    if now - last.at > SHORT:
        return "expired", f"the prompt is unchanged, and {now - last.at:.0f} s had passed", None
    return "not_kept", "the prompt is unchanged, and its provider did not keep it", None


def _changed(before: Blocks, after: Blocks, at: int) -> tuple[str, str, Block | None]:
    old = before[at]
    new = after[at] if at < len(after) else None
    if old.kind == "tool" or (new is not None and new.kind == "tool"):
        mine, theirs = _tools(before), _tools(after)
        if sorted(mine) == sorted(theirs):
            return "tools_order", f"tool list reordered, from tool {at}", old
        number = f"{len(mine)} tools, now {len(theirs)}"
        said = number if len(mine) != len(theirs) else f"tool {at} differs"
        return "tools", f"tool list changed: {said}", old
    if old.kind == "system" or (new is not None and new.kind == "system"):
        return "system", f"system changed, in its part {old.index}", old
    if new is None:
        return "shortened", f"messages from {old.index} on were left out", old
    return "message", f"message {old.index} differs ({old.role or 'no role'})", old


def _tools(blocks: Blocks) -> list[bytes]:
    return [block.digest for block in blocks if block.kind == "tool"]
