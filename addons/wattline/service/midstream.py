"""Streams that break off after output, continued by another target (`midstream: continue`).

Rules of this file. Only plain text is continued, and only what the client has is taken for the answer so far.
Each attempt has its own row and is settled once; the client is told the sum. When nobody can go on, the client
gets the same error as without continuation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from wattline.base.clock import Clock
from wattline.base.errors import ClientFault, Fault, UpstreamFault
from wattline.dialects.base import StreamReader
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.continuing import ContinuingReader, ListeningDecoder, ListeningReader
from wattline.dialects.lead import Lead, asks_more, beginning, no_plain_text
from wattline.dialects.set_fields import Fields, set_in_prompt
from wattline.dialects.transcript import Transcript
from wattline.dialects.translation import TranslatingReader
from wattline.engine.failover import judge_broken, judge_inband
from wattline.engine.meter import Meter, estimate_tokens
from wattline.rules.compiled.target import Target
from wattline.service.attempts import Attempts
from wattline.service.entrance.redaction import secrets_of
from wattline.service.exchange import Attempt, Exchange
from wattline.service.hearing import is_stream, no_stream
from wattline.service.large import is_large
from wattline.service.metering.left_open import settle_left_open
from wattline.service.metering.settlement import Settlement
from wattline.service.outgoing.outgoing import named
from wattline.service.relay import InBand, StreamRelay
from wattline.store.base import State
from wattline.upstream.base import Broken, Incoming
from wattline.upstream.scrub import scrub
from wattline.wire.call import Operation
from wattline.wire.http import Truncated
from wattline.wire.prompt import Prompt

log = logging.getLogger("wattline.midstream")

CONTINUATIONS: Final = 2
"""Times that one answer is continued."""
CONTINUED: Final = "continued"
"""The flag of an attempt that went on with another's answer."""
_COMMENT: Final = b": x-wattline-continued: %d\n\n"
_SSE: Final = "text/event-stream"


@dataclass(slots=True)
class Part:
    """One attempt that has output: `code` says how it broke off, `done` that it came to its end."""

    attempt: Attempt
    meter: Meter
    incoming: Incoming | None = field(default=None, repr=False)
    relay: StreamRelay | None = field(default=None, repr=False)
    code: str = ""
    done: bool = False
    number: int = 0
    """Of the continuation, from 1; 0: the first attempt."""
    after: int = 0
    """Characters that the client had when it began."""


@dataclass(slots=True)
class Midstream:
    """Goes on with streams that broke off."""

    attempts: Attempts
    settlement: Settlement
    clock: Clock

    def listening(
        self, exchange: Exchange, attempt: Attempt, reader: StreamReader | None
    ) -> StreamReader | None:
        """The reader of a first stream, with a transcript of what it reads; as it is where no target could go
        on with it.
        """
        call, passage, target = exchange.call, attempt.passage, attempt.target
        client = client_codec(call.dialect, call.operation)
        provider = target.provider
        side = provider_side(provider.dialect, provider.origin.host)
        if (
            passage is None
            or client is None
            or side.streaming is None
            or call.operation is not Operation.CHAT
        ):
            return reader
        transcript = attempt.transcript = Transcript()
        decoder = side.streaming.decoder()
        if not passage.foreign:
            return ListeningReader(exchange.dialect.reader(call), decoder, transcript)
        listening = ListeningDecoder(decoder, transcript)
        return TranslatingReader(listening, client.encoder(call), passage.at)

    async def go_on(self, exchange: Exchange, first: Part) -> AsyncGenerator[bytes]:
        """The rest of a client's stream, its tail included. Raises Truncated after the error event."""
        transcript = first.attempt.transcript
        assert transcript is not None  # noqa: S101  (else nobody asks)
        part = first
        try:
            await self._broke_off(exchange, first)
            async with aclosing(self._parts(exchange, transcript)) as parts:
                async for part in parts:
                    async with aclosing(self._run(exchange, part)) as items:
                        async for data in items:
                            yield data
                    if part.done:
                        return
        finally:
            self._count(exchange)
        fault = broke_off(part.code)
        yield exchange.dialect.stream_error(fault, exchange.call.id, exchange.call.operation)
        raise Truncated

    async def _parts(self, exchange: Exchange, transcript: Transcript) -> AsyncGenerator[Part]:
        """Attempts that have output, one after the other, as long as another may be made. It holds nothing
        while the caller works with one.
        """
        begun = 0
        for target in _left(exchange):
            if begun >= CONTINUATIONS:
                return
            why = await self._obstacle(exchange, transcript)
            if why is not None:
                log.info("%s can't be continued: %s", exchange.call.id, why)
                return
            part = await self._begun(exchange, target, transcript)
            if part is not None:
                begun += 1
                part.number = begun
                yield part

    async def _obstacle(self, exchange: Exchange, transcript: Transcript) -> str | None:
        if transcript.obstacle is not None:
            return transcript.obstacle
        if not transcript.text:
            return "nothing was said"
        try:
            transcript.text.encode()
        except UnicodeEncodeError:
            return "half_character"
        try:
            prompt = await _prompt(exchange)
        except ClientFault:
            return "unreadable"
        plan = exchange.plan
        fields = Fields(plan.defaults, plan.overrides)
        if asks_more(plan.defaults) or asks_more(plan.overrides):
            return "format"
        return no_plain_text(set_in_prompt(prompt, fields)[0])

    async def _begun(
        self, exchange: Exchange, target: Target, transcript: Transcript
    ) -> Part | None:
        """An attempt at this target that has output; None and settled where there is none."""
        text = transcript.text
        tokens = estimate_tokens(len(text))
        before = exchange.before[0].completion if exchange.before is not None else tokens
        assert exchange.prompt is not None  # noqa: S101  (`_obstacle` has read it)
        exchange.lead = Lead(text, before, beginning(exchange.prompt))
        try:
            attempt = await self.attempts.begin(exchange, target)
        except Fault:
            return None
        if attempt is None:
            return None
        attempt.marks = (*attempt.marks, CONTINUED)
        part = Part(attempt, Meter(exchange.call, exchange.call.tokens + tokens), after=len(text))
        try:
            opened = await self._open(exchange, part, transcript)
        except BaseException:
            self._leave(exchange, part)
            raise
        if opened:
            return part
        self._leave(exchange, part)
        return None

    async def _open(self, exchange: Exchange, part: Part, transcript: Transcript) -> bool:
        """Up to the first output; False when there was none, settled then."""
        attempt = part.attempt
        incoming = part.incoming = await self.attempts.send(exchange, attempt)
        if incoming is None:
            return False
        if not 200 <= incoming.status < 300:
            await self.attempts.refused(exchange, attempt, incoming)
            return False
        if not is_stream(incoming):
            why = no_stream(incoming)
            self.settlement.failed(exchange, attempt, judge_broken("bad_answer"), why)
            return False
        reader = _reader(exchange, attempt, transcript)
        relay = StreamRelay(exchange.dialect, exchange.call, incoming, part.meter, reader)
        try:
            await relay.start(self.attempts.timeouts(exchange, attempt.target).first_byte)
        except Broken as broken:
            self.settlement.failed(exchange, attempt, judge_broken(broken.code))
            return False
        except InBand as error:
            self.settlement.failed(exchange, attempt, judge_inband(error.word))
            return False
        attempt.first_output = self.clock.monotonic()
        part.relay = relay
        return True

    async def _run(self, exchange: Exchange, part: Part) -> AsyncGenerator[bytes]:
        """What one further attempt adds to the client's stream."""
        relay, attempt = part.relay, part.attempt
        assert relay is not None  # noqa: S101  (it has output)
        log.info(
            "%s is continued by attempt %d at %s, after %d characters%s",
            exchange.call.id,
            attempt.number,
            attempt.target,
            part.after,
            f", without {named(exchange.dropped)}" if exchange.dropped else "",
        )
        secrets = secrets_of(attempt.target)
        try:
            if exchange.dialect.stream_type == _SSE:
                yield _COMMENT % part.number
            while data := await relay.next():
                yield scrub(data, secrets)
            yield scrub(await self._complete(exchange, part, relay), secrets)
        except (Broken, InBand) as error:
            part.code = code_of(error)
            await self._broke_off(exchange, part)
        finally:
            self._leave(exchange, part)

    async def _complete(self, exchange: Exchange, part: Part, relay: StreamRelay) -> bytes:
        """The tail, once the settlement is durable."""
        usage, flags = part.meter.usage(ended=True)
        settled = self.settlement.over(exchange, part.attempt, State.COMPLETE, usage, flags)
        part.done = True
        await relay.drain()
        await self.settlement.committed(exchange, settled)
        assert exchange.usage is not None  # noqa: S101  (`over` has said it)
        return relay.tail(exchange.usage, exchange.energy)

    async def _broke_off(self, exchange: Exchange, part: Part) -> None:
        """What was used is owed. The caller's windows wait for the sum."""
        ticket, exchange.caller_ticket = exchange.caller_ticket, None
        usage, flags = part.meter.usage(ended=False)
        settled = self.settlement.over(
            exchange, part.attempt, State.TRUNCATED, usage, flags, part.code
        )
        exchange.caller_ticket = ticket
        if exchange.usage is not None and exchange.energy is not None:
            exchange.before = (exchange.usage, exchange.energy)
        if part.incoming is not None:
            part.incoming.close()
        await self.settlement.committed(exchange, settled)

    def _leave(self, exchange: Exchange, part: Part) -> None:
        if part.incoming is not None:
            part.incoming.close()
        if not part.attempt.settled:
            settle_left_open(self.settlement, exchange, part.attempt, part.meter)

    def _count(self, exchange: Exchange) -> None:
        """The caller's windows get what there was, unless a last attempt was counted with it."""
        if exchange.caller_ticket is not None and exchange.before is not None:
            now, tokens = self.clock.monotonic(), exchange.before[0].total
            self.settlement.windows.settle(exchange.caller_ticket, tokens, now)


def code_of(error: Broken | InBand) -> str:
    """How a stream broke off, as the ledger has it."""
    return error.code


def broke_off(code: str) -> UpstreamFault:
    """What a client is told whose stream nobody goes on with."""
    return UpstreamFault(
        f"The provider broke off in the middle of its answer ({code}).",
        code="upstream_broke_off",
        should_retry=False,
    )


def _left(exchange: Exchange) -> list[Target]:
    """The plan's targets that were not tried yet."""
    tried = {str(one.target) for one in exchange.attempts}
    return [target for target in exchange.plan.targets if str(target) not in tried]


async def _prompt(exchange: Exchange) -> Prompt:
    """What the client asked for. Raises ClientFault."""
    if exchange.prompt is None:
        codec = client_codec(exchange.call.dialect, exchange.call.operation)
        assert codec is not None  # noqa: S101  (else there is no transcript)
        if is_large(exchange.body):
            read = codec.read_prompt
            exchange.prompt = await asyncio.to_thread(read, exchange.value, exchange.call)
        else:
            exchange.prompt = codec.read_prompt(exchange.value, exchange.call)
    return exchange.prompt


def _reader(exchange: Exchange, attempt: Attempt, transcript: Transcript) -> ContinuingReader:
    passage, lead, before = attempt.passage, exchange.lead, exchange.before
    assert passage is not None  # noqa: S101  (a continuing one has all of these)
    assert passage.client is not None  # noqa: S101
    assert passage.side is not None  # noqa: S101
    assert passage.side.streaming is not None  # noqa: S101
    assert lead is not None  # noqa: S101
    assert before is not None  # noqa: S101
    return ContinuingReader(
        passage.side.streaming.decoder(),
        passage.client.encoder(exchange.call),
        lead.seam(),
        transcript,
        before[0],
        passage.at,
    )
