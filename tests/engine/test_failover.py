from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.decisions import SECRET, a_provider, a_target
from wattline.engine.failover import (
    HOLD_BYTES,
    HOLD_EVENTS,
    StartupHold,
    Verdict,
    judge_broken,
    judge_inband,
    judge_status,
)
from wattline.wire.piece import Mark, Piece

TARGET = a_target("groq", "llama-3.3-70b")
NOTHING: frozenset[str] = frozenset()
ON = frozenset({"context_length"})
JSON = b'{"error": {"message": "no", "type": "x", "code": null}}'


def judge(
    status: int, body: bytes = JSON, on=NOTHING, headers=(), target=TARGET, **more
) -> Verdict:
    return judge_status(status, headers, body, target, on, **more)


@pytest.mark.parametrize(
    "status", [408, 429, 500, 501, 502, 503, 504, 520, 524, 529, 599, 0, 101, 407, 600, 999]
)
def test_another_provider_may_do_better(status):
    """A-053, A-070, C-104: moves on."""
    verdict = judge(status)
    assert (verdict.next, verdict.code, verdict.rest_credential) == (True, f"http_{status}", False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_a_redirect_is_a_failure(status):
    """Never followed: a key must not go to where an upstream points."""
    headers = [("location", "https://elsewhere.example/")]
    verdict = judge(status, b"", headers=headers)
    assert (verdict.next, verdict.code) == (True, f"http_{status}")
    assert "elsewhere" not in repr(verdict)


@pytest.mark.parametrize("status", [400, 413, 422, 405, 409, 415, 418, 451])
def test_a_wrong_request_is_wrong_everywhere(status):
    """A-151: passed through."""
    verdict = judge(status, headers=[("retry-after", "5")])
    assert (verdict.next, verdict.code, verdict.retry_after) == (False, f"http_{status}", None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, {"message": "The API key is not valid here"}),
        (402, {"message": "Insufficient credits"}),
        (403, {"type": "authentication_error", "message": "no"}),
        (403, {"code": "account_deactivated"}),
        (403, {"code": "unsupported_country_region_territory", "type": "request_forbidden"}),
        (403, {"status": "PERMISSION_DENIED", "details": [{"reason": "API_KEY_SERVICE_BLOCKED"}]}),
        (403, {"code": 403, "errors": [{"reason": "quotaExceeded"}]}),
    ],
)
def test_a_refused_key_moves_on_and_rests(status, error):
    verdict = judge(status, json.dumps({"error": error}).encode())
    assert (verdict.next, verdict.rest_credential) == (True, True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'{"error": {"message": "Your input was flagged"}}'),
        (
            403,
            (
                b'{"error": {"code": 403, "message": "moderation flagged", "metadata":'
                b' {"flagged_input": "how do I store an api key in my app", "reasons": ["x"]}}}'
            ),
        ),
        (
            403,
            (
                b'{"type": "error", "error": {"type": "permission_error", "message":'
                b' "Your API key does not have permission to use the specified resource."}}'
            ),
        ),
        (403, b'{"error": {"status": "PERMISSION_DENIED", "message": "Permission denied"}}'),
        (403, b'{"error": {"type": "flagged: my api_key was revoked", "code": ["api_key"]}}'),
        (403, b"<html>blocked: a prompt with an api key and ' OR 1=1</html>"),
        (403, b""),
        (402, b'{"error": {"message": "This call needs fewer max_tokens, or more credits"}}'),
    ],
)
def test_a_refused_prompt_moves_on_and_takes_the_provider_from_nobody(status, body):
    verdict = judge(status, body)
    assert (verdict.next, verdict.rest_credential) == (True, False)


def test_a_key_that_is_not_ours_does_not_rest():
    """A call that is passed on carries the client's own key."""
    target = a_target(a_provider("api.openai.com", credential=None))
    assert not judge(401, target=target).rest_credential


def test_a_used_up_quota_rests_like_a_refused_key():
    body = b'{"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}'
    assert judge(429, body).rest_credential
    assert not judge(429).rest_credential
    quoted = b'{"error": {"code": "rate_limit", "message": "flagged: what is insufficient_quota?"}}'
    assert not judge(429, quoted).rest_credential


@pytest.mark.parametrize(
    ("body", "moves_on"),
    [
        (b'{"error":{"message":"The model does not exist or no access","code":null}}', True),
        (b'{"error":{"code":"model_not_found","message":""}}', True),
        (b'{"error":"model \\"llama\\" not found, try pulling it first"}', True),
        (
            b'{"type":"error","error":{"type":"not_found_error","message":"model: llama-3.3-70b"}}',
            True,
        ),
        (b'{"error":{"message":"No endpoints found for LLAMA-3.3-70B."}}', True),
        (b'{"error":{"message":"Invalid URL (POST /v1/x)"}}', False),
        (b'{"error":{"message":"No thread found with id thread_1"}}', False),
        (b'{"error":{"message":"llama-3.3-70b-instruct is elsewhere"}}', False),
        (b"", True),
        (b"<html>404 page not found</html>", True),
        (b"404 page not found", True),
        (b'{"detail":"Not Found"}', True),
        (b'{"errors":[{"code":7003,"message":"Could not route to /x"}]}', True),
    ],
)
def test_a_404_that_names_the_model_moves_on(body, moves_on):
    """Also one that no API wrote: the base URL is wrong. Any other is about the request."""
    assert judge(404, body).next is moves_on


def test_a_404_is_read_in_bounded_time():
    assert judge(404, b'{"error":' + b"model " * 200_000).next is False
    assert judge(404, b'{"error":' + b"x" * 100_000 + b"model_not_found").next is False


TOO_LONG = [
    b'{"error":{"code":"context_length_exceeded","message":"maximum context length is 8192"}}',
    b'{"error":{"message":"This model\'s maximum context length is 8192 tokens."}}',
    b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9"}}',
    b'{"error":{"message":"The input token count exceeds the maximum number of tokens allowed"}}',
]


@pytest.mark.parametrize("body", TOO_LONG)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_too_long_moves_on_when_the_rule_says_so(status, body):
    assert judge(status, body).next is False
    verdict = judge(status, body, ON)
    assert (verdict.next, verdict.code, verdict.rest_credential) == (True, "context_length", False)
    assert judge(status, JSON, ON).next is False


def test_how_long_to_wait():
    """Honoured up to a cap, on whatever moves on."""
    assert judge(429, headers=[("retry-after", "7")]).retry_after == 7.0
    assert judge(503, headers=[("retry-after", "7")]).retry_after == 7.0
    assert judge(429, headers=[("retry-after", "1000000000")]).retry_after == 60.0
    assert judge(429, headers=[("retry-after", "900")], cap=600.0).retry_after == 600.0
    date = [("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")]
    assert judge(429, headers=date, wall=784_111_777.0).retry_after == 10.0
    assert judge(429, headers=[("retry-after", "later")]).retry_after is None
    assert judge(429).retry_after is None


@pytest.mark.parametrize(
    "code",
    [
        "refused",
        "unreachable",
        "dns",
        "tls",
        "connect_timeout",
        "first_byte_timeout",
        "idle_timeout",
        "total_timeout",
        "reset",
        "cut",
        "bad_answer",
        "own_listener",
        "forbidden_address",
    ],
)
def test_no_answer_moves_on(code):
    """A-053: whatever keeps an upstream from answering."""
    verdict = judge_broken(code)
    assert (verdict.next, verdict.code, verdict.rest_credential) == (True, code, False)


def test_an_error_inside_a_success():
    verdict = judge_inband("overloaded")
    assert (verdict.next, verdict.code, verdict.rest_credential) == (
        True,
        "inband_overloaded",
        False,
    )
    assert judge_inband("authentication").rest_credential
    assert not judge_inband("permission").rest_credential, (
        "it may be about one model, or one prompt"
    )


@given(
    status=st.integers(-1, 1_000),
    body=st.binary(max_size=300) | st.sampled_from(TOO_LONG),
    headers=st.lists(
        st.tuples(st.sampled_from(["retry-after", "location", "x"]), st.text(max_size=30))
    ),
    on=st.sampled_from([NOTHING, ON]),
)
def test_total_and_never_says_what_the_upstream_said(status, body, headers, on):
    """A-157: an upstream's own words stay out."""
    verdict = judge_status(status, headers, body, TARGET, on, 0.0)
    assert verdict.code in {f"http_{status}", "context_length"}
    assert verdict.message in {f"groq HTTP {status}", "groq: the prompt is too long for it"}
    assert verdict.retry_after is None or 0.0 <= verdict.retry_after <= 60.0


@given(st.text())
def test_odd_codes_become_a_plain_word(text):
    """A-157: not even through a code."""
    for word in (judge_broken(text).code, judge_inband(text).code[len("inband_") :]):
        assert word in (text, "unknown")
        assert word.isascii()
        assert len(word) <= 40


def test_a_secret_or_prompt_in_a_body_goes_nowhere(caplog):
    """A-157, C-103: the line that is logged is `groq HTTP 500`."""
    body = json.dumps({"error": {"message": f"bad key {SECRET} for prompt 'hello'"}}).encode()
    with caplog.at_level(logging.DEBUG):
        verdict = judge(500, body)
    assert verdict.message == "groq HTTP 500"
    assert SECRET not in repr(verdict)
    assert caplog.text == ""


def piece(mark: Mark, size: int = 10) -> Piece:
    return Piece(mark, b"x" * size)


@pytest.mark.parametrize("mark", [Mark.OUTPUT, Mark.END])
def test_the_first_output_ends_the_hold(mark):
    hold = StartupHold()
    assert not hold.add(piece(Mark.STARTUP))
    assert not hold.add(piece(Mark.USAGE))
    assert not hold.add(piece(Mark.MALFORMED))
    assert hold.add(piece(mark))


def test_the_hold_is_bounded_in_events():
    hold = StartupHold()
    released = [hold.add(piece(Mark.STARTUP)) for _ in range(HOLD_EVENTS)]
    assert released == [False] * (HOLD_EVENTS - 1) + [True]
    assert HOLD_EVENTS == 64


def test_the_hold_is_bounded_in_bytes():
    hold = StartupHold()
    assert HOLD_BYTES == 262_144
    assert not hold.add(piece(Mark.STARTUP, HOLD_BYTES - 1))
    assert hold.add(piece(Mark.STARTUP, 1))
    assert StartupHold().add(piece(Mark.MALFORMED, 10**6))
