"""What the gate decides about our own pages."""

from __future__ import annotations

import pytest

from wattline.base.clock import ManualClock
from wattline.base.ids import hash_secret
from wattline.dialects.spoken import spoken_dialects
from wattline.engine.windows import Windows
from wattline.rules.load import load
from wattline.service.entrance.counting import Counting
from wattline.service.entrance.credentials import Credentials
from wattline.service.entrance.decision import RequestHead, Verdict
from wattline.service.entrance.guesses import Guesses
from wattline.service.entrance.head_refusals import HeadRefusals
from wattline.service.entrance.own_requests import OwnRequests
from wattline.service.entrance.passing_requests import PassingRequests
from wattline.service.entrance.reception import Reception
from wattline.service.metering.counts import Counts
from wattline.wire.call import Principal
from wattline.wire.http import Use

BOOK = load(
    b"""
version: 1
auth: {mode: keys, keys: {ann: "${ANN}"}}
rules: [{name: all, try: model}]
""",
    env={"ANN": "key-of-ann-0123456789"},
)


class NoPages:
    def answer(self, _method, _path):
        return None


def reception(keys=lambda _: None, switched_off=frozenset()):
    clock = ManualClock()
    credentials = Credentials(lambda: BOOK, Guesses(clock), keys)
    return Reception(
        lambda: BOOK,
        credentials,
        OwnRequests(lambda: BOOK, credentials, NoPages(), switched_off),
        PassingRequests(lambda: BOOK, credentials, lambda _route, _principal: False),
        HeadRefusals(spoken_dialects(), Counts(), nowhere),
        Counting(Windows(), clock),
        own=nowhere,
        pseudonym="wattline_x",
    )


def nowhere(_host, _port):
    return False


def head(path="/v1/models", method="GET", principal=None, **headers):
    return RequestHead(
        id="req_1",
        method=method,
        host="127.0.0.1",
        port=8088,
        path=path,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
        peer="127.0.0.1",
        use=Use.REVERSE,
        principal=principal,
    )


def test_a_page_is_let_through_with_its_caller_or_none():
    """The page itself says whether it needs one."""
    decision = reception().receive(head(authorization="Bearer key-of-ann-0123456789"))
    assert (decision.verdict, decision.principal.id) == (Verdict.LOCAL, "ann")
    decision = reception().receive(head(authorization="Bearer nobodys-key-0123456789"))
    assert (decision.verdict, decision.principal) == (Verdict.LOCAL, None)
    assert decision.body_limit == 1024 * 1024


@pytest.mark.parametrize("valid", [True, False])
def test_a_key_that_was_taken_back_counts_no_more_on_its_connection(valid):
    """Whoever proved who they are at a CONNECT may be gone by now."""
    hashed = hash_secret("key-of-bob-0123456789")
    bob = Principal("bob", key="key_1", hashed=hashed)
    asked = reception(lambda found: bob if valid and found == hashed else None)
    decision = asked.receive(head(principal=bob))
    assert decision.principal == (bob if valid else None)


def test_a_connection_without_a_key_is_nobodys_where_keys_are_needed():
    assert reception().receive(head(principal=Principal("ann"))).principal is None


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/models", "POST", 405),
        ("/api/show", "GET", 405),
        ("/api/v1/models", "DELETE", 405),
        ("/v1/models/a%252Fb", "GET", 400),
        ("/v1/models/../x", "GET", 400),
        ("/v1/modelsx", "GET", 404),
    ],
)
def test_what_is_no_page_is_answered_at_once(path, method, status):
    decision = reception().receive(head(path, method))
    assert decision.verdict is Verdict.ANSWER
    assert decision.answer.status == status


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/v1/models", "POST", "GET, HEAD"),
        ("/api/show", "GET", "POST"),
        ("/v1/chat/completions", "GET", "POST"),
        ("/v1beta/models/gemini-2.5-pro:generateContent", "GET", "POST"),
        ("/v1/chat/completions", "BREW", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
    ],
)
def test_another_method_is_told_which_are_taken(path, method, allow):
    """RFC 9110, 15.5.6."""
    answer = reception().receive(head(path, method)).answer
    assert answer.status == 405
    assert dict(answer.headers)["allow"] == allow


def test_pages_that_are_switched_off():
    """B-125."""
    decision = reception(switched_off=frozenset({"models"})).receive(head())
    assert decision.answer.status == 404


def test_pages_of_other_origins_ask_in_vain():
    decision = reception().receive(head(origin="https://evil.test"))
    assert decision.answer.status == 403
