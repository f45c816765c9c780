"""A provider of this machine in the place of every host that calls are passed on to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from kit.sidecars import Running
from wattline.base.origin import Origin
from wattline.upstream.base import Incoming, Outgoing, Upstream


@dataclass
class Standing:
    """An upstream that sends everything to `url`; `sent` is what it would have sent where."""

    under: Upstream
    url: str
    sent: list[Outgoing] = field(default_factory=list)

    async def send(self, outgoing: Outgoing, timeouts: Any) -> Incoming:
        self.sent.append(outgoing)
        place = urlsplit(self.url)
        here = Origin("http", place.hostname or "", place.port or 80)
        return await self.under.send(replace(outgoing, origin=here), timeouts)

    async def close(self) -> None:
        await self.under.close()


def stand_in(running: Running) -> Standing:
    """From now on the first upstream answers for all hosts."""
    answers = running.sidecar.parts.calls.answers
    standing = Standing(answers.attempts.upstream, running.upstreams[0].url)
    answers.attempts.upstream = standing
    if answers.bypass is not None:
        answers.bypass.upstream = standing
    return standing
