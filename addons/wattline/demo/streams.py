"""Faults of what is said: events and usage, in a stream or in one body. `faults.SHAPES` names them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice, repeat, takewhile
from typing import Any

from wattline.demo.journal import Ended
from wattline.demo.reply import Event, Kind, Reply, error_body, to_json
from wattline.demo.shapes import Cue
from wattline.demo.tokens import WIDTH

type Usage = Mapping[str, Any]

CODES = ("server_error", "rate_limit_exceeded", "overloaded", "context_length_exceeded")
HUGE = 10**15
BIG = "BIG!"
"""What `big` says until it is applied: one token."""
BIG_EVENT = 4096
"""Characters in each event of `big`."""
MESSAGE = "The server had an error while processing your request."
PING = Event("", Kind.START, raw=b": PING\n\n")
BROKEN = b'data: {"id":"chatcmpl-demo","choices":[{"index":0,"delta":{"content":"bro\n\n'


def malformed(reply: Reply, cue: Cue) -> None:
    """Event k+1 is broken JSON; or the body is."""
    if reply.events is None:
        reply.body = reply.payload().replace(b":", b"", 1)
        reply.ending = Ended.FAULT
        return
    broken = Event("", Kind.OUTPUT, raw=BROKEN)
    events = iter(reply.events)
    reply.events = chain(islice(events, cue.count), [broken], events)


def error_in_200(reply: Reply, cue: Cue) -> None:
    """An error with status 200, as the only event or the body."""
    code = cue.argument if isinstance(cue.argument, str) else CODES[0]
    reply.ending = Ended.FAULT
    if reply.events is None or reply.error is None:
        reply.content_type = "application/json"
        reply.body = error_body(MESSAGE, kind=code, code=code)
    else:
        reply.events = [reply.error(code, MESSAGE)]


def error_mid(reply: Reply, cue: Cue) -> None:
    """An error after k events."""
    reply.events = _then_error(reply, islice(reply.events or (), cue.count))


def startup_then_error(reply: Reply, _: Cue) -> None:
    """The start-up events, then an error."""
    started = takewhile(lambda event: event.kind is Kind.START, reply.events or ())
    reply.events = _then_error(reply, started)


def _then_error(reply: Reply, events: Iterable[Event]) -> Iterator[Event]:
    reply.ending = Ended.FAULT
    error = reply.error

    def ended() -> Iterator[Event]:
        yield from events
        if error is not None:
            yield error(CODES[0], MESSAGE)

    return ended()


def no_done(reply: Reply, _: Cue) -> None:
    """No end marker."""
    reply.events = (event for event in reply.events or () if event.kind is not Kind.END)


def events_after_done(reply: Reply, _: Cue) -> None:
    """Output after the end marker."""
    if reply.delta is not None:
        late = replace(reply.delta("too late"), tokens=0)
        reply.events = chain(reply.events or (), [late])


def many_pings(reply: Reply, cue: Cue) -> None:
    """K comment lines first."""
    reply.events = chain(repeat(PING, cue.count), reply.events or ())


def big(reply: Reply, cue: Cue) -> None:
    """The text (`BIG`, until here) is replaced: building the whole of it would take the memory."""
    size = cue.count
    reply.manner.paced = False
    if reply.events is None or reply.delta is None:
        reply.completion_tokens = -(-size // WIDTH)
        reply.body = _filled(reply.body, "x" * size)
    else:
        event = reply.delta("x" * min(size, BIG_EVENT))
        event = replace(event, raw=event.encode())
        copies = -(-size // len(event.encode()))
        reply.completion_tokens = copies * event.tokens
        reply.events = _output_replaced(reply.events, repeat(event, copies))
    _change_usage(reply, lambda usage: _recounted(usage, reply))


def _output_replaced(events: Iterable[Event], others: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        if event.kind is Kind.OUTPUT:
            yield from others
        else:
            yield event


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, text) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, text) for one in value]
    return text if value == BIG else value


def _recounted(usage: Usage, reply: Reply) -> Usage:
    names = ("output_tokens", "completion_tokens")
    total = reply.prompt_tokens + reply.completion_tokens
    made = {name: reply.completion_tokens for name in names if name in usage}
    return {**usage, **made, "total_tokens": total}


def usage_absent(reply: Reply, _: Cue) -> None:
    """No usage, even if the client asked for it."""
    _change_usage(reply, lambda _: None)


def usage_zero(reply: Reply, _: Cue) -> None:
    """A usage of zeros."""
    _change_usage(reply, lambda usage: _counts(usage, lambda _: 0))


def usage_negative(reply: Reply, _: Cue) -> None:
    """A usage below zero."""
    _change_usage(reply, lambda usage: _counts(usage, lambda number: -number - 1))


def usage_huge(reply: Reply, _: Cue) -> None:
    """A usage of 10^15 tokens."""
    _change_usage(reply, lambda usage: _counts(usage, lambda _: HUGE))


def usage_string(reply: Reply, _: Cue) -> None:
    """A usage of texts."""
    _change_usage(reply, lambda usage: _counts(usage, str))


def usage_nan(reply: Reply, _: Cue) -> None:
    """A usage of NaN, which is no JSON."""
    _change_usage(reply, lambda usage: _counts(usage, lambda _: math.nan))


def usage_twice(reply: Reply, _: Cue) -> None:
    """Half first, then all; in one body as a key that is there twice."""
    if reply.events is not None:
        reply.events = _twice(reply.events)
    elif isinstance(reply.body, dict) and (usage := reply.body.get("usage")):
        reply.claims = usage
        first = to_json({"usage": _half(usage)})
        reply.body = first[:-1] + b"," + reply.payload()[1:]


def _twice(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        usage = event.usage()
        if usage is None:
            yield event
            continue
        early = event.with_usage(_half(usage))
        if event.name is not None and isinstance(early.data, dict):
            name = "response.in_progress"
            early = replace(early, data={**early.data, "type": name}, name=name, kind=Kind.USAGE)
        yield early
        yield event


def _half(usage: Usage) -> Usage:
    return _counts(usage, lambda number: number // 2)


def _counts(usage: Usage, change: Callable[[int], Any]) -> Usage:
    """The usage with each count at its top changed."""
    return {
        name: change(value) if isinstance(value, int) else value for name, value in usage.items()
    }


def _change_usage(reply: Reply, change: Callable[[Usage], Usage | None]) -> None:
    if reply.events is not None:
        reply.events = _changed(reply.events, change)
    elif isinstance(reply.body, dict) and isinstance(reply.body.get("usage"), dict):
        rest = {name: value for name, value in reply.body.items() if name != "usage"}
        usage = change(reply.body["usage"])
        reply.body = rest if usage is None else rest | {"usage": usage}


def _changed(events: Iterable[Event], change: Callable[[Usage], Usage | None]) -> Iterator[Event]:
    for event in events:
        usage = event.usage()
        if usage is None:
            yield event
            continue
        changed = change(usage)
        if changed is not None or event.kind is not Kind.USAGE:
            yield event.with_usage(changed)
