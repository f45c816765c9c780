"""What translation costs by itself: `python translation.py` prints CPU microseconds per event as JSON.

No socket, no gateway: a provider's event goes in as bytes, the client's come out. CPU time of this thread is
measured, not wall time, so that what else runs on the machine is not in it.
"""

from __future__ import annotations

import json
import sys
import time

from shapes import NATIVE, PAIRS, PROVIDERS
from wattline.dialects.base import StreamReader
from wattline.dialects.codecs import client_codec, provider_side
from wattline.dialects.openai.dialect import OpenAIDialect
from wattline.dialects.translation import TranslatingReader
from wattline.wire.call import LOCAL, Call, Operation

EVENTS = 2_000
ROUNDS = 7


def reader(client: str, provider: str) -> StreamReader:
    """What stands between a provider's bytes and a client's. Raises ValueError for a pair that can't be."""
    responses = client == "responses"
    dialect = "openai" if responses else client
    operation = Operation.RESPONSES if responses else Operation.CHAT
    call = Call(
        id="bench",
        dialect=dialect,
        operation=operation,
        method="POST",
        host="",
        path="/",
        model="bench-model",
        stream=True,
        principal=LOCAL,
    )
    if (client, provider) == NATIVE:
        return OpenAIDialect().reader(call)
    codec = client_codec(dialect, operation)
    side = provider_side(provider, "").streaming
    if codec is None or side is None:
        raise ValueError(f"{client} from {provider} is not translated in streams")
    return TranslatingReader(side.decoder(), codec.encoder(call))


def per_event(client: str, provider: str, events: int = EVENTS) -> float:
    """CPU microseconds from one event's bytes to the client's, over `events` of them.

    Raises ValueError when one is not answered at once: then a figure would flatter.
    """
    shape = PROVIDERS[provider]
    feed = reader(client, provider).feed
    feed(shape.first + shape.event % b"first")
    frames = [shape.event % (b"word %d of many," % number) for number in range(events)]
    empty = 0
    begun = time.thread_time_ns()
    for frame in frames:
        if not feed(frame):
            empty += 1
    used = time.thread_time_ns() - begun
    if empty:
        raise ValueError(f"{client} from {provider}: {empty} events were not answered at once")
    return used / events / 1e3


def measured() -> dict[str, float]:
    """The median over the rounds for each pair, the pair that is passed through included."""
    figures = {}
    for client, provider in (NATIVE, *PAIRS):
        rounds = sorted(per_event(client, provider) for _ in range(ROUNDS))
        figures[f"{client}-{provider}"] = rounds[ROUNDS // 2]
    return figures


if __name__ == "__main__":
    json.dump(measured(), sys.stdout)
