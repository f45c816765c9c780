"""Providers that go on with the text that they are given: each knows one text, and breaks off where told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kit.decisions import a_call
from kit.faulty import END, STREAM_HEAD, Peer, Server, chunk, faulty
from wattline.dialects.codecs import client_codec
from wattline.wire.call import Operation
from wattline.wire.events import Counted, Ended, Event, Started, Stopped, TextDelta
from wattline.wire.reply import Stop
from wattline.wire.usage import Usage

TEXT = "Längst vergessen, 漢字 and 😀: the proxy kept on counting \n\n every single word of it. "
"""Long enough to be cut in many places."""


@dataclass
class Continuer:
    """How one provider behaves. `after`: events of text before it breaks off (None: it does not)."""

    dialect: str = "openai"
    text: str = TEXT
    after: int | None = None
    breaks: str = "close"
    """`close` (in the middle of the body), `reset` (of which the other side may lose what it has not read),
    `cut` (a clean end without the dialect's), `stall`, `error` (an event that is one).
    """
    manner: str = "goes_on"
    """Given the beginning: `goes_on`, `repeats` it, or starts with `other`."""
    other: str = "Something else."
    usage: Usage | None = None
    refuses: int | None = None
    """A status in place of an answer to a call with a beginning."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        """One connection."""
        while (seen := await peer.request()) is not None:
            body = json.loads(seen.body)
            self.asked.append(body)
            last = body["messages"][-1]
            begun = last["content"] if last["role"] == "assistant" else ""
            begun = begun if isinstance(begun, str) else "".join(p["text"] for p in begun)
            if begun and self.refuses is not None:
                await peer.send(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self.refuses)
                continue
            await peer.send(STREAM_HEAD)
            if not await self._stream(peer, self._said(begun)):
                return

    def _said(self, begun: str) -> str:
        if not begun or self.manner == "repeats":
            return self.text
        if self.manner == "other":
            return self.other
        assert self.text.startswith(begun)
        return self.text[len(begun) :]

    async def _stream(self, peer: Peer, text: str) -> bool:
        """Whether the connection can be used again."""
        texts = 0
        for event, raw in self._events(text):
            if isinstance(event, TextDelta):
                texts += 1
                if self.after is not None and texts > self.after:
                    await self._break(peer)
                    return False
            if raw:
                await peer.send(chunk(raw))
                await asyncio.sleep(0)
        await peer.send(END)
        return True

    def _events(self, text: str) -> Iterator[tuple[Event, bytes]]:
        codec = client_codec(self.dialect, Operation.CHAT)
        assert codec is not None
        encoder = codec.encoder(a_call(stream=True, wants_usage=True, dialect=self.dialect))
        events: list[Event] = [Started(f"id-{id(self)}", "their-model", 1_700_000_000)]
        events += [TextDelta(text[n : n + 7]) for n in range(0, len(text), 7)]
        events.append(Stopped(Stop.END))
        events += [] if self.usage is None else [Counted(self.usage)]
        events.append(Ended())
        for event in events:
            yield event, b"".join(piece.raw for piece in encoder.encode(event))

    async def _break(self, peer: Peer) -> None:
        match self.breaks:
            case "reset":
                peer.reset()
            case "close":
                await peer.finish()
            case "cut":
                await peer.send(END)
                await peer.finish()
            case "error":
                await peer.send(chunk(b'data: {"error":{"message":"overloaded"}}\n\n'))
                await peer.send(END)
                await peer.finish()
            case _:
                await peer.until_gone()


@asynccontextmanager
async def continuers(*behaviours: Continuer) -> AsyncIterator[list[Server]]:
    """A server for each."""
    if not behaviours:
        yield []
        return
    async with faulty(behaviours[0]) as first, continuers(*behaviours[1:]) as others:
        yield [first, *others]


def rules(servers: list[Server], behaviours: list[Continuer], fields: str) -> str:
    """rules.yaml with providers p0, p1, … in order."""
    lines = ["version: 1", "health: {breaker: false}", "providers:"]
    for index, (server, one) in enumerate(zip(servers, behaviours, strict=True)):
        idle = 0.3 if one.breaks == "stall" else 10
        times = f"{{connect: 10, first_byte: 10, idle: {idle}, total: 60}}"
        lines.append(
            f"  p{index}: {{url: '{server.origin}/v1', auth: none, dialect: {one.dialect}, "
            f"timeouts: {times}}}"
        )
    lines.append("models:")
    names = [f"m{index}" for index in range(len(servers))]
    lines += [f"  {n}: {{provider: p{n[1:]}, name: up{n[1:]}, rate: '2.0'}}" for n in names]
    lines.append(f"  m: {{provider: p0, name: up0, rate: '2.0', chain: [{', '.join(names)}]}}")
    lines += ["rules:", f"  - {{name: by-model, {fields}, try: model}}"]
    return "\n".join(lines) + "\n"
