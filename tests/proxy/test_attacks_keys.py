"""Keys under random rules, failover and faults: each goes to its own upstream and comes back to nobody."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from kit.clients import CONNECT_H2, REVERSE
from kit.sidecars import rules, running

KEYS = [f"sk-secret-of-upstream-{index:04d}" for index in range(3)]
FAULTS = [
    "ok",
    "400",
    "401",
    "403",
    "404",
    "408",
    "422",
    "429",
    "429:date",
    "500",
    "502",
    "503",
    "529",
    "close",
    "reset",
    "html",
    "empty",
    "truncated_json",
    "error_in_200",
    "startup_then_error",
    "error_mid",
    "cut",
    "cut_reset",
    "cut_clean",
    "malformed",
    "echo_headers",
    "echo_headers+one_byte",
    "echo_headers+cut",
    "echo_headers+usage_absent",
    "usage_absent",
    "usage_huge",
    "no_done",
    "events_after_done",
    "gzip",
]
CLIENTS = [
    ("authorization", "Bearer client-secret-aaaa"),
    ("x-api-key", "client-secret-bbbb"),
    ("api-key", "client-secret-cccc"),
    ("x-goog-api-key", "client-secret-dddd"),
]
HOPS = [
    ("cookie", "session=client-secret-eeee"),
    ("proxy-authorization", "Basic client-secret-ffff"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "evil.test"),
    ("x-real-ip", "192.0.2.1"),
    ("forwarded", "for=192.0.2.1"),
    ("x-wattline-attempt", "att_forged"),
    ("x-wattline-provider", "forged"),
    ("x-amz-security-token", "client-secret-gggg"),
    ("openai-organization", "client-secret-hhhh"),
]
NEVER = [
    *(value for _, value in HOPS if "client-secret" not in value and "evil" not in value),
    "client-secret",
    "evil.test",
]


def graph(draw: random.Random, urls: list[str]) -> str:
    """A random rules.yaml: chains, weights, deny, `set`, per-rule `on`, over three providers."""
    text = rules([f"{url}/v1" for url in urls]).partition("rules:")[0]
    lines = ["rules:"]
    for number in range(draw.randint(1, 4)):
        order = draw.sample(["m0", "m1", "m2"], draw.randint(1, 3))
        when = draw.choice(["{}", "{stream: true}", "{stream: false}", "{model: 'm*'}"])
        action = draw.choice(
            [
                f"try: [{', '.join(order)}]",
                "try: model",
                f"try: {{weighted: {{{', '.join(f'{m}: {draw.randint(1, 3)}' for m in order)}}}}}",
            ]
        )
        extra = draw.choice(
            [
                "",
                ", on: [context_length]",
                ", set: {defaults: {temperature: 0.5}}",
                ", set: {override: {authorization: 'x', 'x-api-key': 'y', headers: {a: b}}}",
            ]
        )
        lines.append(f"  - {{name: r{number}, when: {when}, {action}{extra}}}")
    lines.append("  - {name: rest, when: {}, try: model}")
    return text + "\n".join(lines) + "\n"


@pytest.mark.slow
async def test_no_upstream_and_no_client_sees_a_key_that_is_not_its_own(tmp_path, caplog):
    """T7, T8: 200 random graphs and fault sequences; every byte at every end is looked at."""
    draw = random.Random(20_240_917)
    async with running(tmp_path, 3, check=False) as sidecar:
        urls = [upstream.url for upstream in sidecar.upstreams]
        answered = 0
        for number in range(200):
            if number % 4 == 0:
                sidecar.rules.write_text(graph(draw, urls))
                await asyncio.sleep(0)
            for upstream in sidecar.upstreams:
                upstream.clear()
                upstream.script([draw.choice(FAULTS) for _ in range(2)])
            headers = [draw.choice(CLIENTS), *draw.sample(HOPS, 4)]
            body = {
                "model": draw.choice(["m", "m0", "m1", "m2"]),
                "messages": [{"role": "user", "content": "hi"}],
                "stream": draw.random() < 0.5,
                "api_base": "http://evil.test",
            }
            way = draw.choice([REVERSE, REVERSE, REVERSE, CONNECT_H2])
            sidecar.sidecar.parts.memory.resting.clear()
            async with asyncio.timeout(20):
                reply = await sidecar.call(body, way, headers=headers)
            answered += reply.status == 200
            shown = repr(reply.headers) + reply.body.decode("latin-1")
            assert not any(key in shown for key in KEYS), (number, shown)
            assert "client-secret" not in shown
        assert answered > 60
        for index, upstream in enumerate(sidecar.upstreams):
            assert len(upstream.journal.requests) > 30
            for record in upstream.journal.requests:
                sent = repr(record.headers)
                assert record.header("authorization") == f"Bearer {KEYS[index]}"
                assert not any(key in sent for key in KEYS if key != KEYS[index])
                found = [text for text in NEVER if text in sent]
                assert not found, (found, sent)
                assert not any(key.encode() in record.body for key in KEYS)
    assert not any(key in caplog.text for key in KEYS)
    assert "client-secret" not in caplog.text


@pytest.mark.parametrize(
    "field", ["authorization", "x-api-key", "host", "content-length", "cookie"]
)
async def test_a_body_field_is_never_a_header(tmp_path, field):
    """What rules set goes into bodies, and what bodies say stays in bodies."""
    text_of = "set: {defaults: {" + field + ": smuggled}}"
    async with running(tmp_path, 1) as sidecar:
        text = sidecar.rules.read_text().replace("try: model", f"try: model, {text_of}")
        sidecar.rules.write_text(text)
        reply = await sidecar.call(
            {
                "model": "m",
                "messages": [{"role": "user", "content": "hi"}],
                "extra_headers": {field: "s"},
            }
        )
        assert reply.status in {200, 400}
        for record in sidecar.upstreams[0].journal.requests:
            assert "smuggled" not in repr(record.headers)
            assert json.loads(record.body)


@pytest.mark.parametrize("evil", ["\r\nx-evil: 1", "\n", "\0", "é", "\u2028", " ", "\x7f"])
async def test_a_key_from_the_environment_can_not_write_headers(tmp_path, evil):
    """A key with a line end is not sent, and the message does not show it."""
    key = f"sk-secret-{evil}-tail-4711"
    async with running(tmp_path, 2, env={"KEY_0": key}) as sidecar:
        reply = await sidecar.call({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        for record in sidecar.upstreams[0].journal.requests:
            assert record.header("x-evil") is None
        shown = repr(reply.headers) + reply.body.decode()
        assert "tail-4711" not in shown
