"""The one record of a call on its way, from its plan to its last byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from wattline.dialects.base import Dialect, Energy, Route
from wattline.dialects.lead import Lead
from wattline.dialects.transcript import Transcript
from wattline.engine.breaker import FREE, Permit
from wattline.engine.features import Noted
from wattline.engine.plan import Plan
from wattline.engine.spending import Reserved
from wattline.engine.summary import Failure
from wattline.engine.windows import Ticket
from wattline.rules.book import Book
from wattline.rules.compiled.target import Target
from wattline.service.metering.prompt_caches import Prompted
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.upload import Upload
from wattline.service.relay import Held
from wattline.service.watching.carried import Carried
from wattline.store.base import State
from wattline.upstream.base import Broken, Outgoing
from wattline.wire.call import Call
from wattline.wire.http import Request, Whole
from wattline.wire.pictures import Fetched
from wattline.wire.prompt import Prompt
from wattline.wire.usage import Usage

_NOT_MADE = Broken("internal_error", "the request was not made")
SENT = Broken("internal_error", "the request was sent already")
"""In place of a request that is no longer needed: a stream may stay open for long."""


@dataclass(slots=True)
class Sound:
    """What sound is priced by: the seconds of a recording (None: unknown), or the characters of a text that
    is spoken.
    """

    seconds: Fraction | None = None
    characters: int | None = None


@dataclass(slots=True)
class Attempt:
    """One try of one target. Times are monotonic seconds."""

    id: str
    number: int
    target: Target
    ticket: Ticket
    began: float
    request: Outgoing | Broken = field(default=_NOT_MADE, repr=False)
    """What is sent; `Broken` when it could not be made."""
    status: int | None = None
    first_output: float | None = None
    """When the first of its answer was there: until then, and of a failed one, when its head was."""
    settled: bool = False
    permit: Permit = FREE
    """Of its target's breaker."""
    reserved: Reserved | None = field(default=None, repr=False)
    """What it holds of its key's budgets."""
    hold: int = 0
    """Micro-units that it holds of its caller's balance."""
    passage: Passage | None = field(default=None, repr=False)
    made: str | None = None
    """The provider's id of what it made, where that can be asked about later."""
    drill: str | None = None
    """The kind of the fault that a drill made of it."""
    marks: tuple[str, ...] = ()
    """Further flags of its row."""
    transcript: Transcript | None = field(default=None, repr=False)
    """What the client has of its stream, where another target may go on with it."""

    def __repr__(self) -> str:
        state = "settled" if self.settled else "open"
        return f"<Attempt {self.number} {self.target} {state}>"


@dataclass(slots=True)
class Exchange:
    """Everything known of one call. `body` is what the client sent, decompressed; or its upload."""

    request: Request
    route: Route
    dialect: Dialect
    call: Call
    book: Book
    plan: Plan
    body: bytes | Upload = field(repr=False)
    value: Mapping[str, Any] = field(repr=False)
    began: float
    caller_ticket: Ticket | None = None
    attempts: list[Attempt] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    usage: Usage | None = None
    energy: Energy | None = None
    state: State | None = None
    """How the attempt with output ended; None while there was none."""
    prompt: Prompt | None = field(default=None, repr=False)
    """What the client asked for, once a target of another dialect needed it."""
    sound: Sound | None = None
    pictures: Mapping[str, Fetched] | None = field(default=None, repr=False)
    """By URL, once they were fetched."""
    inlined: bytes | None = field(default=None, repr=False)
    """The body with those pictures in it."""
    dropped: tuple[str, ...] = ()
    """What the target that is being tried can't express and was not sent."""
    noted: Noted | None = None
    """What only the rules' conditions ask for, as it was when they were asked."""
    explained: Whole | None = None
    """The answer to a caller that asked where the call would go, in place of making it."""
    cache: str | None = None
    """`hit` or `miss`; None where answers are not kept."""
    held: Held | None = field(default=None, repr=False)
    """What the tail of its stream was made of, once it ended."""
    prompted: Prompted | None = field(default=None, repr=False)
    """Digests of the prompt's parts, where somebody wants to know what broke a provider's cache."""
    proof: Carried | None = field(default=None, repr=False)
    """Digests of a call that is passed on, where they are wanted."""
    delivered: bool = False
    """The head of an answer is out: no other target can be tried."""

    lead: Lead | None = field(default=None, repr=False)
    """The beginning of the answer that the next target is to go on with."""
    before: tuple[Usage, Energy] | None = None
    """What its earlier attempts with output used and cost, where a later one went on."""
    shadow_of: str | None = None
    """The id of the call that this is a copy of."""

    @property
    def drill(self) -> str | None:
        """The kind of the fault that one of its attempts met in a drill."""
        if self.plan.fault is None:
            return None
        return next((one.drill for one in self.attempts if one.drill is not None), None)

    def forget(self) -> None:
        """Let go of what the client sent: a stream may stay open for long."""
        self.body, self.value = b"", {}
        self.request.body = b""  # the caller has the request for as long as the answer comes
        self.prompt = self.pictures = self.inlined = None
