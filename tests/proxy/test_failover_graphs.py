"""Ten thousand random failover graphs over real sockets: no provider ever sees a secret that is not its own."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from contextlib import asynccontextmanager

import pytest

from kit.sidecars import running

PROVIDERS = 10
MODELS = 500
BATCHES = 20
CLIENTS = 12
KEYS = {
    f"KEY_{provider}_{key}": f"sk-secret-of-{provider:02d}-{key}-abcdefgh"
    for provider in range(PROVIDERS)
    for key in range(1, 4)
}
SECRET = re.compile(rb"sk-secret-of-(\d\d)-\d-abcdefgh")
CLIENT_SECRET = b"client-secret-of-nobody-else"
OPENAI = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "up",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "up",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
ENDS = (
    *["ok"] * 4, "echo", "echo_error", "400", "401", "403", "404", "429", "429", "500", "500", "502", "503", "529",
    "307", "close", "garbage", "empty", "inband",
)  # fmt: skip
HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-auth-token")


class Provider(asyncio.Protocol):
    """One connection to a provider: answers at random, and notes what it should never have seen."""

    def __init__(self, index: int, draw: random.Random, seen: Seen) -> None:
        self._index, self._draw, self._seen = index, draw, seen
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", self._data[: end + 2])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < whole:
                return
            request, self._data = self._data[:whole], self._data[whole:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        self._seen.note(self._index, request)
        how = self._draw.choice(ENDS)
        transport = self._transport
        assert isinstance(transport, asyncio.WriteTransport)
        if how == "close":
            transport.close()
            return
        good = ANTHROPIC if b" /v1/messages" in request.split(b"\r\n", 1)[0] else OPENAI
        status, body = 200, json.dumps(good).encode()
        if how == "echo":
            body = json.dumps({**good, "id": request.decode("latin-1")}).encode()
        elif how == "echo_error":
            status, body = (
                400,
                json.dumps({"error": {"message": request.decode("latin-1")}}).encode(),
            )
        elif how in {"garbage", "empty", "inband"}:
            found = {"garbage": b"<html>", "empty": b"", "inband": b'{"error": {"type": "x"}}'}
            body = found[how]
        elif how.isdigit():
            status, body = int(how), json.dumps({"error": {"message": how}}).encode()
        more = f"retry-after: {self._draw.randint(0, 30)}\r\n" if status == 429 else ""
        more += f"location: http://127.0.0.1:1/{KEYS['KEY_0_1']}\r\n" if status == 307 else ""
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
        transport.write(head.encode() + body)


class Seen:
    """What reached providers."""

    def __init__(self) -> None:
        self.requests = 0
        self.keys: set[bytes] = set()
        self.wrong: list[tuple[int, bytes]] = []

    def note(self, index: int, request: bytes) -> None:
        self.requests += 1
        found = [match[0] for match in SECRET.finditer(request)]
        self.keys.update(found)
        foreign = [key for key in found if int(key[13:15]) != index]
        if foreign or len(found) != 1 or CLIENT_SECRET in request:
            self.wrong.append((index, request))


@asynccontextmanager
async def providers(draw: random.Random, seen: Seen):
    """Base URLs of as many providers, each an origin of its own."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda index=index: Provider(index, draw, seen), "127.0.0.1", 0)
        for index in range(PROVIDERS)
    ]
    try:
        yield [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    finally:
        for server in servers:
            server.close()


def graphs(draw: random.Random, urls: list[str]) -> str:
    """A rules.yaml with a random graph for each of its models: chains, weights, orders, several keys."""
    lines = ["version: 1", "health: {breaker: false}", "providers:"]
    for index, url in enumerate(urls):
        keys = [f"${{KEY_{index}_{key}}}" for key in draw.sample([1, 2, 3], draw.randint(1, 3))]
        dialect = draw.choice(["openai", "openai", "anthropic"])
        lines.append(
            f"  p{index}: {{url: {url}/v1, key: {json.dumps(keys)}, dialect: {dialect}, "
            f"choose: {draw.choice(['spread', 'first'])}, retries: {draw.choice([0, 0, 1])}}}"
        )
    lines.append("models:")
    names = [f"g{number}" for number in range(MODELS)]
    for name in names:
        chain = ", ".join(_targets(draw, draw.randint(1, 5)))
        lines.append(f"  {name}: {{chain: [{chain}]}}")
    lines.append("rules:")
    for name in draw.sample(names, MODELS // 4):
        found = _targets(draw, draw.randint(1, 5))
        weights = ", ".join(f"{target}: {draw.randint(1, 9)}" for target in found)
        order = draw.choice(["given", "fastest", "least_energy", "score"])
        action = draw.choice(
            [f"try: [{', '.join(found)}], order: {order}", f"try: {{weighted: {{{weights}}}}}"]
        )
        extra = draw.choice(
            ["", ", set: {override: {api_key: x, authorization: y}}", ", on: [context_length]"]
        )
        lines.append(f"  - {{name: to-{name}, when: {{model: {name}}}, {action}{extra}}}")
    lines.append("  - {name: rest, try: model}")
    return "\n".join(lines) + "\n"


def _targets(draw: random.Random, count: int) -> list[str]:
    places = draw.sample(range(PROVIDERS), count)
    return [f"p{place}/up{draw.randint(0, 2)}" for place in places]


async def ask(reader, writer, model: str, draw: random.Random) -> tuple[int, bytes]:
    """One call with keys of the client in many headers; status, and all that came back."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
    named = draw.sample(HEADERS, 2)
    headers = "".join(f"{name}: Bearer {CLIENT_SECRET.decode()}\r\n" for name in named)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length is not None, head
    return int(head.split()[1]), head + await reader.readexactly(int(length[1]))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_thousand_graphs(tmp_path):
    """T7, T8: each key goes to its own origin, none of the client's goes anywhere, none comes back."""
    draw, seen, answered = random.Random(20_261_121), Seen(), []
    logging.getLogger("wattline").setLevel(logging.CRITICAL)
    try:
        async with providers(draw, seen) as urls:
            text = graphs(draw, urls)
            async with running(tmp_path, 0, text=text, env=KEYS, check=False) as sidecar:
                for batch in range(BATCHES):
                    if batch:
                        sidecar.rules.write_text(graphs(draw, urls))
                        await sidecar.sidecar.books.fresh()
                    answered += await _asked(sidecar, draw)
    finally:
        logging.getLogger("wattline").setLevel(logging.NOTSET)
    assert not seen.wrong, seen.wrong[0]
    assert len(answered) == BATCHES * MODELS
    assert seen.keys == {key.encode() for key in KEYS.values()}
    assert answered.count(200) > len(answered) // 4
    assert seen.requests > len(answered)


async def _asked(sidecar, draw: random.Random) -> list[int]:
    """The statuses of a call for each graph of the rules in force."""
    names = [f"g{number}" for number in range(MODELS)]
    statuses: list[int] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*sidecar.address, limit=2**20)
        while names:
            status, answer = await ask(reader, writer, names.pop(), draw)
            assert not SECRET.search(answer), answer
            statuses.append(status)
            if len(names) % 10 == 0:
                sidecar.sidecar.parts.memory.resting.clear()  # else most would rest for their 401s
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return statuses
