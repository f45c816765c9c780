from __future__ import annotations

import pytest

from kit.raw_http import ask
from wattline.demo.knobs import Knobs

PATH = "/_demo/knobs"


async def test_knobs_are_read_and_changed_while_it_runs(provider):
    """B-202: GET answers them, PATCH changes some, PUT sets all."""
    assert (await ask(provider.url, PATH, method="GET")).json() == Knobs.instant().as_dict()
    wire = await ask(provider.url, PATH, {"error_rate": 1}, method="PATCH")
    assert wire.json() == Knobs.instant().as_dict() | {"error_rate": 1}
    assert provider.knobs.error_rate == 1
    body = {"model": "m", "input": "x"}
    assert (await ask(provider.url, "/v1/embeddings", body)).status in (429, 500, 502, 503)
    wire = await ask(provider.url, PATH, {"error_rate": 0, "timeout_rate": 0}, method="PUT")
    assert wire.json() == Knobs(error_rate=0, timeout_rate=0).as_dict()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"eror_rate": 1}', "did you mean 'error_rate'"),
        (b'{"error_rate": 2}', "from 0 to 1"),
        (b'{"error_rate": "1"}', "from 0 to 1"),
        (b'{"logs": 1}', "true or false"),
        (b"[1]", "must be a JSON object"),
        (b"{", "must be a JSON object"),
        (b"[" * 100_000, "must be a JSON object"),
        (b"", "must be a JSON object"),
        (b"\xff", "must be a JSON object"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_bad_knobs_change_nothing(provider, body, says, method):
    """B-202: refused with the reason; the knobs stay as they were."""
    before = provider.knobs
    wire = await ask(provider.url, PATH, body, method=method)
    assert wire.status == 400
    assert says in wire.json()["error"]["message"]
    assert provider.knobs is before


async def test_other_methods_are_refused(provider):
    assert (await ask(provider.url, PATH, {}, method="DELETE")).status == 405
