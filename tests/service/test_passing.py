from __future__ import annotations

from kit.decisions import a_call
from wattline.rules.compiled.entrance import Limits
from wattline.service.passing import passing_target
from wattline.wire.http import Request, Use


def test_its_client_knows_how_long_to_wait():
    request = Request(
        "req_1", "POST", "https", "api.openai.com", 443, "/v1/chat/completions", (), b"{}", "127.0.0.1",
        Use.FORWARD,
    )  # fmt: skip
    target = passing_target(request, a_call("gpt-4o"), Limits(deadline=900.0))
    timeouts = target.provider.timeouts
    assert (timeouts.connect, timeouts.first_byte, timeouts.idle, timeouts.total) == (
        5,
        900,
        900,
        900,
    )
    assert target.provider.credential is None
    assert str(target.provider.origin) == "https://api.openai.com"
