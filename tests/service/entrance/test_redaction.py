"""What of an answer is a secret."""

from __future__ import annotations

import pytest

from kit.books import check_books
from kit.sidecars import running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Is ollama the content of a role?"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("key", ["k", "content", "EMPTY", "demo"])
async def test_a_word_in_a_keys_place_is_none(tmp_path, key, stream):
    """Servers at home take any key, and their clients write a word."""
    async with running(tmp_path, 1, env={"KEY_0": key}) as sidecar:
        reply = await sidecar.call({**CHAT, "stream": stream})
        assert (reply.status, reply.clean) == (200, True)
        assert b"[redacted]" not in reply.body
        usage = reply.events[-2]["usage"] if stream else reply.json()["usage"]
        assert usage["completion_tokens"] > 0
        check_books(sidecar)
