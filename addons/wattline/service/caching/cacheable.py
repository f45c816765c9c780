"""Which calls have answers that may be kept, and which answers those are."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

from wattline.base.errors import ClientFault
from wattline.dialects.assembly import Assembly, AssemblyFull
from wattline.dialects.codec import BadReply, Codec, ReplyError
from wattline.dialects.codecs import client_codec
from wattline.dialects.crossing import TEXT
from wattline.service.caching.cache import MAX_BODY, Entry
from wattline.service.exchange import Exchange
from wattline.service.relay import Held
from wattline.wire.call import Call, Operation
from wattline.wire.http import Request
from wattline.wire.parts import Blob
from wattline.wire.prompt import Prompt
from wattline.wire.reply import Reply, Stop
from wattline.wire.sse import EventTooLarge

HEADER: Final = "x-wattline-cache"
_GOOD: Final = frozenset({Stop.END, Stop.SEQUENCE, Stop.TOOL_CALLS})


class Wish(Enum):
    """What the client's headers say of kept answers."""

    ANY = auto()
    FRESH = auto()
    """A new answer, which may be kept."""
    NONE = auto()
    """A new answer that is not kept."""


def wish_of(request: Request) -> Wish:
    """`cache-control` as in RFC 9111, 5.2.1, as far as it asks for less; `x-wattline-cache: off|refresh`.
    A word of ours that is not known counts as `off`.
    """
    said: set[str] = set()
    for name, value in request.headers:
        if name == "cache-control":
            said.update(word.strip().lower() for word in value.split(","))
        elif name == HEADER:
            said.add("no-cache" if value.strip().lower() == "refresh" else "no-store")
    if "no-store" in said:
        return Wish.NONE
    return Wish.FRESH if said & {"no-cache", "max-age=0"} else Wish.ANY


def wanted(exchange: Exchange) -> bool:
    """The rule has answers kept, and the call is small enough to be compared with others."""
    plan, book = exchange.plan, exchange.book
    if plan.position is None or plan.deny is not None or plan.passed:
        return False
    rule = book.rules[plan.position]
    enabled = book.cache.enabled if rule.cache is None else rule.cache
    return enabled and isinstance(exchange.body, bytes) and len(exchange.body) <= MAX_BODY


def deterministic(exchange: Exchange) -> bool:
    """The call's answer must be the same each time."""
    if exchange.call.operation is Operation.EMBEDDINGS:
        return True
    if exchange.call.operation not in TEXT or exchange.call.tools:
        return False
    if _set(exchange, "temperature", None) is None and not _may_say_temperature(exchange):
        return False  # most calls, and quickly seen
    return _asks_for_one(exchange)


def _may_say_temperature(exchange: Exchange) -> bool:
    return isinstance(exchange.body, bytes) and b'"temperature"' in exchange.body


def _asks_for_one(exchange: Exchange) -> bool:
    """Read strictly: a field that we don't know may bring in something new, and so may a URL."""
    prompt = _prompt(exchange)
    if prompt is None or prompt.tools or prompt.extras or _fetches(prompt):
        return False
    sampling = prompt.sampling
    return (
        _set(exchange, "temperature", sampling.temperature) == 0
        and _set(exchange, "n", sampling.n) in (None, 1)
        and _set(exchange, "tools", None) is None
    )


def _set(exchange: Exchange, name: str, said: Any) -> Any:
    """A field as the rule sets it."""
    plan = exchange.plan
    if name in plan.overrides:
        said = plan.overrides[name]
    elif said is None:
        said = plan.defaults.get(name)
    return None if isinstance(said, bool) else said


def _prompt(exchange: Exchange) -> Prompt | None:
    if exchange.prompt is None:
        codec = _codec(exchange.call)
        try:
            exchange.prompt = codec.read_prompt(exchange.value, exchange.call) if codec else None
        except ClientFault:
            return None  # the target says what is wrong with it
    return exchange.prompt


def _fetches(prompt: Prompt) -> bool:
    """Something in it is named by a URL, at which may be something else tomorrow."""
    parts = (part for message in prompt.messages for part in message.parts)
    inner = (item for part in parts for item in (part, *getattr(part, "parts", ())))
    return any(isinstance(item, Blob) and item.url is not None for item in inner)


def _codec(call: Call) -> Codec | None:
    return client_codec(call.dialect, call.operation)


def sound(entry: Entry, call: Call) -> bool:
    """The answer came to its end and says something: it may be given again. One that ran into its limit is
    sound only when the client set that limit.
    """
    if call.operation is Operation.EMBEDDINGS:
        return not entry.stream
    reply = reply_of(entry, call)
    if reply is None or not reply.alternatives:
        return False
    good = _GOOD | {Stop.LENGTH} if call.max_output is not None else _GOOD
    return all(one.stop in good and one.parts for one in reply.alternatives)


def reply_of(entry: Entry, call: Call) -> Reply | None:
    """What an answer says; None when it can't be read."""
    codec = _codec(call)
    if codec is None:
        return None
    try:
        if entry.held is None:
            return codec.read_reply(entry.body)
        return _assembled(codec, entry.body, entry.held)
    except (BadReply, ReplyError, AssemblyFull, EventTooLarge):
        return None


def _assembled(codec: Codec, body: bytes, held: Held) -> Reply | None:
    assembly, decoder = Assembly(), codec.decoder()
    for data in (body, held.raw):
        for event in decoder.feed(data):
            assembly.add(event)
    for event in decoder.end():
        assembly.add(event)
    return assembly.reply() if assembly.ended else None
