"""M8: without a key the lists have what the demo answers to, and paths of calls that are nearly right."""

from __future__ import annotations

import pytest

from kit.sidecars import running

RULES = """
providers:
  far: {url: "https://far.test/v1", key: "${FAR_KEY}"}
  demo: {url: "${WATTLINE_DEMO_URL}", demo: true, models: [{id: wattline-demo}]}
models:
  gpt-4o: {provider: far}
rules:
  - {name: demo, when: {unconfigured: true}, try: [demo]}
  - {name: by-model, try: model}
"""


async def test_the_list_has_what_is_answered(tmp_path):
    async with running(tmp_path, 0, text=RULES) as sidecar:

        async def get(path: str):
            return await sidecar.call(b"", method="GET", path=path)

        listed = {one["id"]: one for one in (await get("/v1/models")).json()["data"]}
        assert {"gpt-4o", "wattline-demo"} <= listed.keys()
        for name in ("gpt-4o", "anything-else"):
            found = await get(f"/v1/models/{name}")
            assert (found.status, found.json()["id"]) == (200, name)
            call = {"model": name, "messages": [{"role": "user", "content": "hi"}]}
            assert (await sidecar.call(call)).status == 200


async def test_with_a_key_the_demo_is_no_answer(tmp_path):
    env = {"FAR_KEY": "key-of-far-0123456789"}
    async with running(tmp_path, 0, text=RULES, env=env) as sidecar:
        found = await sidecar.call(b"", method="GET", path="/v1/models/anything-else")
        assert found.status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", "/v1beta/models/m:generateContent", 405, "POST, not GET"),
        ("GET", "/v1/chat/completions", 405, "POST, not GET"),
        ("PUT", "/v1/messages", 405, "POST, not PUT"),
        ("POST", "/v1beta/models/m:generatecontent", 404, "Did you mean :generateContent?"),
        ("POST", "/v1beta/models/a%2Fb:generateContent", 400, "models/a/b:generateContent"),
    ],
)
async def test_paths_that_are_nearly_right(tmp_path, method, path, status, word):
    async with running(tmp_path, 0, text=RULES) as sidecar:
        reply = await sidecar.call({}, method=method, path=path)
        assert reply.status == status
        assert word in reply.body.decode()
