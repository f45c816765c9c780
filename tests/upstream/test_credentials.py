from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.compiled.provider import Provider, Timeouts
from wattline.upstream.base import Broken, Outgoing
from wattline.upstream.credentials import check, header_lines, outgoing_headers, passed_headers

ORIGIN = Origin("https", "api.one.test", 443)
KEY = "sk-one-0123456789"


def provider(
    origin: Origin = ORIGIN, headers: tuple[tuple[str, str], ...] = (), secret: str = KEY
) -> Provider:
    credential = Credential(origin, AuthStyle.BEARER, secret)
    return Provider(
        name="one",
        dialect="openai",
        origin=origin,
        base_path="/v1",
        auth=AuthStyle.BEARER,
        credential=credential,
        windows=(),
        timeouts=Timeouts(),
        headers=headers,
    )


def outgoing(headers, credential: Credential | None = None, origin: Origin = ORIGIN) -> Outgoing:
    return Outgoing(origin, "POST", "/v1/x", tuple(headers), b"{}", credential)


KEPT = [
    ("content-type", "application/json"),
    ("accept", "text/event-stream"),
    ("user-agent", "sdk/1"),
    ("openai-beta", "assistants=v2"),
    ("anthropic-beta", "a"),
    ("anthropic-beta", "b"),
    ("anthropic-version", "2023-06-01"),
    ("idempotency-key", "k"),
    ("traceparent", "00-1"),
    ("tracestate", "a=1"),
    ("x-stainless-lang", "python"),
    ("x-stainless-retry-count", "0"),
]
DROPPED = [
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "proxy-authorization",
    "openai-organization",
    "openai-project",
    "host",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "expect",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "x-portkey-custom-host",
    "x-custom",
    "via",
    "accept-encoding",
    "x-wattline-attempt",
    "x-wattline-tag",
    "origin",
    "referer",
]


def test_the_allow_list_is_what_goes_out() -> None:
    """T7, security 0.7: everything else of the client's stays here."""
    client = [*KEPT, *((name, "client-secret") for name in DROPPED)]
    random.Random(1).shuffle(client)
    made = outgoing_headers(client, provider(), pseudonym="wattline")
    ours = [("via", "1.1 wattline"), ("accept-encoding", "identity")]
    assert sorted(made) == sorted([*KEPT, *ours])
    assert "client-secret" not in repr(made)


def test_providers_headers_win() -> None:
    fixed = (("anthropic-version", "2024-01-01"), ("user-agent", "fixed"))
    made = outgoing_headers(KEPT, provider(headers=fixed))
    assert [value for name, value in made if name == "anthropic-version"] == ["2024-01-01"]
    assert [value for name, value in made if name == "user-agent"] == ["fixed"]


def test_of_a_single_header_the_first_counts() -> None:
    client = [("content-type", "application/json"), ("content-type", "text/plain")]
    made = outgoing_headers(client, provider())
    assert [value for name, value in made if name == "content-type"] == ["application/json"]


def test_attempt_id_only_when_asked_for() -> None:
    assert not any(name == "x-wattline-attempt" for name, _ in outgoing_headers([], provider()))
    made = outgoing_headers([("x-wattline-attempt", "forged")], provider(), attempt="att_1")
    assert [value for name, value in made if name == "x-wattline-attempt"] == ["att_1"]


def test_via_carries_the_pseudonym() -> None:
    assert ("via", "1.1 abc") in outgoing_headers([], provider(), pseudonym="abc")


def test_passed_headers_keep_the_clients_key() -> None:
    """T7: a passed call goes to the host that the client named, with the client's own key."""
    client = [
        ("host", "api.one.test"),
        ("authorization", "Bearer theirs"),
        ("openai-organization", "org"),
        ("x-custom", "1"),
        ("cookie", "a=b"),
        ("via", "1.0 earlier"),
    ]
    assert passed_headers(client, ORIGIN) == (
        ("authorization", "Bearer theirs"),
        ("openai-organization", "org"),
        ("x-custom", "1"),
        ("cookie", "a=b"),
        ("via", "1.0 earlier"),
        ("via", "1.1 wattline"),
        ("accept-encoding", "identity"),
    )


@pytest.mark.parametrize("host", ["api.one.test", "API.one.test:443"])
def test_passed_headers_go_where_the_client_said(host) -> None:
    assert ("x-a", "1") in passed_headers([("host", host), ("x-a", "1")], ORIGIN)


@pytest.mark.parametrize("host", ["api.two.test", "api.one.test:8443", "api.one.test.evil", ""])
def test_passed_headers_go_nowhere_else(host) -> None:
    """T7: the client's own key never reaches a host that it did not name."""
    with pytest.raises(Broken) as caught:
        passed_headers([("host", host), ("authorization", "Bearer theirs")], ORIGIN)
    assert caught.value.code == "credential_origin"
    assert "theirs" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "expect",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "content-length",
        "accept-encoding",
        "x-wattline-attempt",
    ],
)
def test_passed_headers_drop(name) -> None:
    """T9, security 0.7."""
    made = passed_headers([(name, "value-of-it"), ("x-kept", "1")], ORIGIN)
    assert ("x-kept", "1") in made
    assert "value-of-it" not in repr(made)


def test_headers_named_by_connection_are_dropped() -> None:
    """Security 0.7: `Connection: close, X-Hop` takes X-Hop with it, in any case."""
    client = [("connection", "close, X-Hop"), ("connection", "other"), ("x-hop", "1")]
    made = passed_headers([*client, ("other", "2"), ("x-kept", "3")], ORIGIN)
    assert [name for name, _ in made] == ["x-kept", "via", "accept-encoding"]


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key", "api-key"])
def test_several_keys_in_one_header_are_refused(name) -> None:
    """T10."""
    twice = [(name, "Bearer one-secret"), (name, "Bearer two-secret")]
    for refuse in (
        lambda: passed_headers(twice, ORIGIN),
        lambda: check(outgoing(twice)),
    ):
        with pytest.raises(Broken) as caught:
            refuse()
        assert caught.value.code == "unsendable"
        assert "secret" not in caught.value.message


def test_check_lets_the_right_credential_through() -> None:
    check(outgoing([("x-a", "1")], Credential(ORIGIN, AuthStyle.BEARER, KEY)))
    check(outgoing([("authorization", "Bearer theirs")]))


@pytest.mark.parametrize(
    "other",
    [
        Origin("http", "api.one.test", 443),
        Origin("https", "api.two.test", 443),
        Origin("https", "api.one.test", 8443),
        Origin("https", "api.one.test.", 443),
    ],
)
def test_check_refuses_a_credential_of_another_origin(other) -> None:
    """T7."""
    with pytest.raises(Broken) as caught:
        check(outgoing([], Credential(other, AuthStyle.BEARER, KEY)))
    assert caught.value.code == "credential_origin"
    assert KEY not in caught.value.message


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key"])
def test_check_refuses_a_second_key_beside_the_credential(name) -> None:
    """T7: a client's key never rides along."""
    with pytest.raises(Broken) as caught:
        check(outgoing([(name, "theirs")], Credential(ORIGIN, AuthStyle.BEARER, KEY)))
    assert caught.value.code == "credential_origin"


@pytest.mark.parametrize(
    ("style", "line"),
    [
        (AuthStyle.BEARER, f"authorization: Bearer {KEY}\n"),
        (AuthStyle.X_API_KEY, f"x-api-key: {KEY}\n"),
        (AuthStyle.X_GOOG_API_KEY, f"x-goog-api-key: {KEY}\n"),
        (AuthStyle.NONE, ""),
    ],
)
def test_credential_line(style, line) -> None:
    assert header_lines(outgoing([], Credential(ORIGIN, style, KEY))) == line


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), max_size=12),
            st.text(st.characters(codec="utf-8"), max_size=12),
        ),
        max_size=5,
    )
)
def test_written_lines_are_the_headers_or_nothing(headers) -> None:
    """Security 0.4: whatever the values, either each is exactly one line or nothing is sent."""
    try:
        text = header_lines(outgoing(headers))
    except Broken as broken:
        if broken.code != "unsendable":
            raise
        return
    lines = text.split("\n")
    assert lines.pop() == ""
    assert lines == [f"{name}: {value}" for name, value in headers]
    assert all(set(line).isdisjoint("\r\n\0") for line in lines)
    text.encode("latin-1")


SECRETS = {f"p{number}": f"sk-secret-of-p{number}-0123456789" for number in range(6)}


@given(
    st.lists(st.sampled_from(sorted(SECRETS)), min_size=1, max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from([*DROPPED, *(name for name, _ in KEPT)]),
            st.sampled_from(["client-key-xyz", "plain"]),
        ),
        max_size=8,
    ),
    st.integers(0, 7),
)
def test_no_attempt_carries_a_secret_that_is_not_its_own(order, client, confused) -> None:
    """T7: over any order of attempts and any client headers, also when someone mixes credentials up."""
    secret_headers = [(n, v) for n, v in client if (n in DROPPED) or v == "plain"]
    for position, name in enumerate(order):
        origin = Origin("https", f"{name}.test", 443)
        owner = order[confused % len(order)] if position % 2 else name
        own = Credential(Origin("https", f"{owner}.test", 443), AuthStyle.BEARER, SECRETS[owner])
        made = outgoing(outgoing_headers(secret_headers, provider(origin)), own, origin)
        try:
            check(made)
        except Broken as broken:
            refused = broken.code
        else:
            refused = ""
        assert refused == ("" if owner == name else "credential_origin")
        if refused:
            continue
        text = header_lines(made)
        assert SECRETS[name] in text
        assert "client-key-xyz" not in text
        assert not any(secret in text for who, secret in SECRETS.items() if who != name)
