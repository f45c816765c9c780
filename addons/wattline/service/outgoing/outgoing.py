"""The request of one attempt: the target's URL and credential, the call's body with its model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wattline.dialects.codec import ProviderCodec
from wattline.dialects.codecs import provider_side
from wattline.dialects.json_text import dumps
from wattline.dialects.led_body import led_body
from wattline.dialects.openai.form import fitting, form_defaults
from wattline.dialects.set_fields import Fields, placed, set_in_prompt
from wattline.dialects.unstreamed import unstreamed
from wattline.rules.compiled.target import Target
from wattline.service.exchange import Attempt, Exchange
from wattline.service.outgoing.passage import Passage
from wattline.service.outgoing.prompting import CannotExpress, prompt_of
from wattline.service.outgoing.upload import Upload
from wattline.upstream.base import File, Outgoing
from wattline.upstream.credentials import outgoing_headers, passed_headers
from wattline.wire.call import Operation
from wattline.wire.http import Headers
from wattline.wire.pictures import with_images
from wattline.wire.prompt import Prompt, Written

log = logging.getLogger(__name__)

_JSON = ("content-type", "application/json")
SHOWN = 20
NAME = 80
"""Names of what can't be expressed, in one message: how many, and characters of each."""


def outgoing(exchange: Exchange, attempt: Attempt, pseudonym: str, *, mark: bool) -> Outgoing:
    """Built from nothing for each attempt: only what the target may see goes into it."""
    if exchange.plan.passed:
        return _passed(exchange, attempt, pseudonym)
    provider = attempt.target.provider
    path, wanted, body = _content(exchange, attempt)
    headers = outgoing_headers(
        exchange.request.headers,
        provider,
        pseudonym=pseudonym,
        attempt=attempt.id if mark else None,
        foreign=attempt.passage is not None and attempt.passage.foreign and not attempt.passage.own,
    )
    if isinstance(body, bytes) and body:  # read as JSON, whatever the client called it
        headers = (*(pair for pair in headers if pair[0] != "content-type"), _JSON)
    present = {name for name, _ in headers}
    return Outgoing(
        origin=provider.origin,
        method=exchange.request.method,
        path=provider.base_path + path,
        headers=(*headers, *(pair for pair in wanted if pair[0] not in present)),
        body=body,
        credential=provider.credential,
    )


def _content(exchange: Exchange, attempt: Attempt) -> tuple[str, Headers, bytes | File]:
    """Path below the base URL, headers of the dialect, body."""
    plan, target, passage = exchange.plan, attempt.target, attempt.passage
    defaults = fitting(exchange.call.operation, {**target.provider.defaults, **plan.defaults})
    exchange.dropped = ()  # of an earlier target
    if passage is not None and passage.rewrites and passage.side is not None:
        codec = passage.side.codec
        fields = Fields(defaults, plan.overrides)
        prompt = _prompt(exchange, passage, target)
        if passage.own and (own := _led(exchange, passage, target, prompt)) is not None:
            path = exchange.dialect.path(exchange.route, exchange.call, target.model)
            told = (exchange.call, target.model, defaults, plan.overrides)
            return path, _demanded(exchange, target), exchange.dialect.write_body(own, *told)
        prompt, others = set_in_prompt(prompt, fields)
        written = codec.write_prompt(prompt, target.model)
        _check(exchange, attempt, written)
        path = codec.path(target.model, stream=prompt.stream)
        return path, (*codec.headers, *written.headers), dumps(placed(written.body, others))
    if passage is not None and passage.bridge is not None:
        written = passage.bridge.write_request(target.model)
        _check(exchange, attempt, written)
        codec = provider_side(target.provider.dialect, target.provider.origin.host).codec
        return passage.bridge.path(target.model), tuple(codec.headers), dumps(written.body)
    if passage is not None and passage.side is not None and passage.whole:
        return _unstreamed(exchange, passage.side.codec, target, defaults)
    path = exchange.dialect.path(exchange.route, exchange.call, target.model)
    if isinstance(exchange.body, Upload):
        heard = exchange.call.operation is Operation.TRANSCRIPTION
        added = form_defaults(exchange.value.keys(), defaults if heard else {})
        return path, (), exchange.body.for_model(target.model, added)
    raw = exchange.body
    if target.provider.inline_images and exchange.inlined is not None:
        raw = exchange.inlined
    body = exchange.dialect.write_body(raw, exchange.call, target.model, defaults, plan.overrides)
    return path, _demanded(exchange, target), body


def _unstreamed(
    exchange: Exchange, codec: ProviderCodec, target: Target, defaults: Mapping[str, Any]
) -> tuple[str, Headers, bytes]:
    """The client's own request but for the wish for a stream."""
    inlined = exchange.inlined if target.provider.inline_images else None
    raw = exchange.body if inlined is None else inlined
    assert isinstance(raw, bytes)  # noqa: S101  (an upload is no chat)
    body = exchange.dialect.write_body(
        unstreamed(raw, exchange.call.dialect),
        replace(exchange.call, stream=False),
        target.model,
        defaults,
        exchange.plan.overrides,
    )
    return codec.path(target.model, stream=False), _demanded(exchange, target), body


def _demanded(exchange: Exchange, target: Target) -> Headers:
    """What a request of its dialect must carry, for a client of the same that left it out."""
    provider = target.provider
    if provider.dialect != exchange.call.dialect:
        return ()
    return tuple(provider_side(provider.dialect, provider.origin.host).codec.headers)


def _prompt(exchange: Exchange, passage: Passage, target: Target) -> Prompt:
    """The prompt as the target needs it. Raises CannotExpress."""
    prompt = prompt_of(exchange, passage)
    if target.provider.inline_images and exchange.pictures:
        prompt = with_images(prompt, exchange.pictures)
    return passage.adapted(prompt, exchange.call)


def _led(exchange: Exchange, passage: Passage, target: Target, prompt: Prompt) -> bytes | None:
    """What the client sent with the beginning of the answer, for a target of its own dialect."""
    if passage.side is None or passage.lead is None:
        return None
    written = passage.side.codec.write_prompt(prompt, target.model)
    body = led_body(exchange.value, written.body, passage.lead)
    return None if body is None else dumps(body)


def _check(exchange: Exchange, attempt: Attempt, written: Written) -> None:
    """What was left out is told. Raises CannotExpress when the rule does not allow it."""
    left_out = written.unsupported
    if left_out and not exchange.plan.drop:
        raise CannotExpress(
            f"{attempt.target.provider.name} has no counterpart for {named(left_out)}"
        )
    exchange.dropped = (*left_out, *written.dropped)
    if left_out:
        log.warning(
            "%s attempt %d: %s has no counterpart for %s: left out, as the rule says",
            exchange.call.id,
            attempt.number,
            attempt.target,
            named(left_out),
        )


def named(names: tuple[str, ...]) -> str:
    """Names that come from a client's own keys: some of them, short, on one line."""
    shown = [ascii(name)[1:-1][:NAME] for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more


def _passed(exchange: Exchange, attempt: Attempt, pseudonym: str) -> Outgoing:
    """The client's own request, body and key untouched, to the host that it named."""
    request, origin = exchange.request, attempt.target.provider.origin
    spool = request.spool
    if spool is not None:
        spool.seek(0)
    return Outgoing(
        origin=origin,
        method=request.method,
        path=request.path,
        headers=passed_headers(request.headers, origin, pseudonym=pseudonym),
        body=request.body if spool is None else spool,
        credential=None,
    )
