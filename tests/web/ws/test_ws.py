"""Chat over `/ws` through real sockets: both protocols, the ledger, limits, and every end."""

from __future__ import annotations

from kit.chat_socket import chatting
from kit.sidecars import running


async def test_smoke(tmp_path):
    async with running(tmp_path, 1) as sidecar, chatting(sidecar) as chat:
        await chat.ask(stream=True)
        for m in await chat.until("chat.complete", "error"): print(m)
        await chat.ask()
        for m in await chat.until("chat.complete", "error"): print(m)
        await chat.infer(stream=True)
        for _ in range(4): print(await chat.hear())
        await chat.infer(5)
        for _ in range(4): print(await chat.hear())
