"""Pages as a browser or `curl --compressed` asks for them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kit.clients import REVERSE, Reply
from kit.sidecars import Running, running


async def get(sidecar: Running, path: str, coding: str | None) -> Reply:
    headers = [] if coding is None else [("accept-encoding", coding)]
    return await sidecar.call(b"", REVERSE, path=path, method="GET", headers=headers)


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/api/v1/models"])
async def test_a_long_page_is_compressed_for_who_takes_that(tmp_path, path):
    """D-007: response compression."""
    text = (Path(__file__).parents[2] / "rules.yaml").read_text()
    async with running(tmp_path, 0, text=text) as sidecar:
        packed = await get(sidecar, path, "br, gzip;q=0.5")
        assert (packed.status, packed.headers["content-encoding"]) == (200, "gzip")
        assert "accept-encoding" in packed.headers["vary"].lower()
        assert int(packed.headers["content-length"]) == len(packed.body)
        for coding in (None, "identity", "br", "br, gzip;q=0.0"):
            plain = await get(sidecar, path, coding)
            assert "content-encoding" not in plain.headers, coding
            assert len(plain.body) > len(packed.body)
        if path != "/metrics":  # they count these very requests
            assert gzip.decompress(packed.body) == plain.body


async def test_short_ones_and_other_methods_are_not(tmp_path):
    async with running(tmp_path, 1) as sidecar:
        reply = await get(sidecar, "/api/v1/models/m/pricing", "gzip")
        assert (reply.status, reply.headers.get("content-encoding")) == (200, None)
        long = {"model": "x" * 5_000}
        reply = await sidecar.call(long, path="/api/show", headers=[("accept-encoding", "gzip")])
        assert (reply.status, reply.headers.get("content-encoding")) == (404, None)
