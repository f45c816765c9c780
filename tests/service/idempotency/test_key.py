"""Keys, and what a request under one is told by."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.service.idempotency import key as module
from wattline.service.idempotency.key import key_of, request_digest, scope_of, shown_secrets
from wattline.wire.call import LOCAL, Principal, Role


def test_quotes_are_no_part_of_a_key():
    """The draft's form and the one that most clients send."""
    assert key_of(['"8e03978e"']) == key_of(["8e03978e"]) == key_of([" 8e03978e "]) == "8e03978e"
    assert key_of(['"a\\"b\\\\"']) == 'a"b\\'
    assert key_of(['"']) == '"'
    assert key_of([]) is None
    assert key_of(["x" * 255]) == "x" * 255


@pytest.mark.parametrize("values", [[""], [" "], ['""'], ["x" * 256], ["é"], ["a\x7f"], ["a", "a"]])
def test_what_is_no_key(values):
    with pytest.raises(ClientFault) as caught:
        key_of(values)
    assert (caught.value.status, caught.value.code) == (400, "invalid_idempotency_key")
    assert "é" not in caught.value.message


def test_credentials_in_the_query_are_no_part_of_a_request():
    plain = request_digest("POST", "/token?userId=a", "", b"")
    for target in ("/token?masterToken=s&userId=a", "/token?userId=a&key=sk"):
        assert request_digest("POST", target, "", b"") == plain
    others = ["/token?userId=b", "/token", "/token?userId=a&monkey=1", "/tokenuserId=a"]
    assert len({request_digest("POST", one, "", b"") for one in others} | {plain}) == 5


@given(
    st.lists(st.sampled_from([b"bound", b"ary", b"boundary", b"b", b"y", b"--", b"text"])),
    st.integers(1, 7),
)
def test_a_boundary_counts_as_none_however_a_file_is_cut(words, size):
    body = b"".join(words)
    kind = 'multipart/form-data; boundary="boundary"'
    expected = request_digest("POST", "/", kind, body)
    before = module.BLOCK
    try:
        module.BLOCK = size  # type: ignore[misc]
        file = io.BytesIO(body)
        assert request_digest("POST", "/", kind, file) == expected
        assert file.tell() == 0
        other = body.replace(b"boundary", b"0123")
        if b"0123" not in body:
            assert (
                request_digest("POST", "/", kind.replace('boundary"', '0123"'), other) == expected
            )
    finally:
        module.BLOCK = before  # type: ignore[misc]


def test_forms_that_differ_differ():
    kind = "multipart/form-data; boundary=x"
    bodies = [b"--x\r\na\r\n--x--", b"--x\r\nb\r\n--x--", b"--x\r\na\r\n--x", b"", b"----"]
    assert len({request_digest("POST", "/", kind, body) for body in bodies}) == len(bodies)


def test_whose_keys():
    user = Principal("u", user="u", key="k1")
    assert scope_of(user, ["secret"], "1") == scope_of(user, ["rotated"], "2")
    admin = Principal("u", user="u", role=Role.ADMIN)
    ann = Principal("ann")
    assert scope_of(ann, ["secret"], "1") == scope_of(ann, ["replaced"], "2")
    assert scope_of(None, [], "1", master=True) == scope_of(LOCAL, ["other"], "2", master=True)
    scopes = [
        scope_of(ann, ["secret"], "1"),
        scope_of(ann, ["secret"], "1", master=True),
        scope_of(user, ["secret"], "1", master=True),
        scope_of(None, ["master"], "1"),
        scope_of(None, ["secret"], "1", master=True),
        scope_of(user, ["secret"], "1"),
        scope_of(admin, ["secret"], "1"),
        scope_of(Principal("v", user="v"), ["secret"], "1"),
        scope_of(LOCAL, ["secret"], "1"),
        scope_of(LOCAL, ["other"], "1"),
        scope_of(LOCAL, [], "1"),
        scope_of(LOCAL, [], "2"),
        scope_of(None, ["secret"], "1"),
        scope_of(None, [], "1"),
    ]
    assert len(set(scopes)) == len(scopes)
    assert all(len(scope) == 64 for scope in scopes)


def test_a_secret_is_one_wherever_it_is_shown():
    ways = [
        ([("authorization", "Bearer s3cret")], "/x"),
        ([("authorization", "bearer  s3cret ")], "/x"),
        ([("x-api-key", "s3cret")], "/x"),
        ([("api-key", "s3cret"), ("x-goog-api-key", "s3cret")], "/x"),
        ([("accept", "a")], "/x?key=s3cret&a=b"),
        ([], "/x?masterToken=s3cret"),
    ]
    assert [shown_secrets(headers, target) for headers, target in ways] == [["s3cret"]] * 6
    assert shown_secrets([("authorization", "Basic YTpi")], "/x") == ["Basic YTpi"]
    assert shown_secrets([("accept", "a"), ("x-api-key", "")], "/x?a=key=b") == []
