"""What LOG_SENSITIVE_PAYLOADS shows, and what it does not: prompts only when asked for, keys never."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kit.sidecars import running
from wattline.base.settings import SettingsError
from wattline.service.metering import payloads
from wattline.service.metering.payloads import MAX_BYTES, Payloads, hidden_query, snippet

CHAT = {"model": "m", "messages": [{"role": "user", "content": "canary-prompt-4711"}]}
ON = {"LOG_SENSITIVE_PAYLOADS": "true"}
SECRETS = [
    "sk-proj-abcdefghijklmnop", "AIzaSyA-abcdefghijklmnopqrstu", "gsk_abcdefghijklmnop1234",
    "0123456789abcdef0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def",
]  # fmt: skip


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
async def test_without_it_no_prompt_is_logged(tmp_path, caplog, level):
    """B-134: also at the lowest level."""
    caplog.set_level(level)
    async with running(tmp_path, 1) as sidecar:
        await sidecar.call(CHAT, path="/v1/chat/completions?note=canary-query-4711")
        sidecar.upstreams[0].script(["400"])
        await sidecar.call(CHAT)
    assert "canary" not in caplog.text
    assert "LOG_SENSITIVE_PAYLOADS" not in caplog.text


async def test_with_it_urls_and_beginnings_of_bodies_are_and_it_is_loud(tmp_path, caplog):
    """B-134, A-076."""
    caplog.set_level("INFO")
    async with running(tmp_path, 1, env=ON) as sidecar:
        long = {"role": "user", "content": "canary-prompt-4711 " + "x " * 5_000}
        await sidecar.call({**CHAT, "messages": [long]})
        sidecar.upstreams[0].script(["400"])
        await sidecar.call(CHAT)
    assert "LOG_SENSITIVE_PAYLOADS is on" in caplog.text
    asked = [one.getMessage() for one in caplog.records if " asked: POST" in one.getMessage()]
    assert len(asked) == 2
    assert all("canary-prompt-4711" in text and "/v1/chat/completions" in text for text in asked)
    assert len(asked[0]) < MAX_BYTES + 300
    assert "answered 400" in caplog.text
    assert "sk-secret-of-upstream" not in caplog.text


async def test_it_says_so_every_hour(caplog, monkeypatch):
    slept = []

    async def hour(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(payloads.asyncio, "sleep", hour)
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await Payloads().warn()
    assert slept == [3600, 3600, 3600]
    assert caplog.text.count("is on") == 3


@pytest.mark.parametrize("secret", SECRETS)
def test_keys_are_taken_out_by_their_shape(secret):
    body = f'{{"text": "my key is {secret}, thanks"}}'
    assert secret not in snippet(body.encode())
    assert "thanks" in snippet(body.encode())
    assert secret not in hidden_query(f"/v1/models?note={secret}")
    assert secret not in hidden_query(f"/v1/models/{secret}")


@pytest.mark.parametrize("name", ["api_key", "apiKey", "x-token", "client_secret", "Password"])
def test_keys_are_taken_out_by_their_name(name):
    assert "hush" not in snippet(f'{{"{name}": "hush"}}'.encode())


@pytest.mark.parametrize("query", ["key=hush", "masterToken=hush", "%6bey=hush", "a=b&sig=hush&c"])
def test_secrets_in_a_query_are_taken_out(query):
    shown = hidden_query(f"/token?{query}")
    assert "hush" not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\0", b"{" * 10_000, b"\x1b[31m", b'"' * 5_000])
def test_any_body_has_a_short_beginning(body):
    assert len(snippet(body)) <= MAX_BYTES + 40


@pytest.mark.parametrize("word", ["perhaps", "2", "\x1b"])
def test_another_word_refuses_to_start(word):
    with pytest.raises(SettingsError, match="LOG_SENSITIVE_PAYLOADS"):
        Payloads.from_env({"LOG_SENSITIVE_PAYLOADS": word})


@pytest.mark.parametrize("word", ["", "false", "0", "off", "NO"])
def test_off_is_off(word):
    assert Payloads.from_env({"LOG_SENSITIVE_PAYLOADS": word}) is None
