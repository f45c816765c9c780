from __future__ import annotations

import pytest

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.moderations import moderations


@pytest.mark.parametrize(
    ("given", "results"),
    [("x", 1), (["x", "y"], 2), ([{"type": "text", "text": "x"}, {"type": "image_url"}], 1)],
)
def test_nothing_is_flagged(given, results):
    body = moderations(Asked(1, 0, {"input": given})).body
    assert [result["flagged"] for result in body["results"]] == [False] * results


@pytest.mark.parametrize("given", [None, [], 3, [3], [{"type": "x"}], ["x"] * 2049])
def test_bad_inputs(given):
    with pytest.raises(Refused) as refused:
        moderations(Asked(1, 0, {"input": given}))
    assert refused.value.param.startswith("input")
