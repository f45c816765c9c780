"""Files of other gateways, known by their shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.cli.importing.people import People
from wattline.cli.importing.shapes import NAME, Kind, NoImport, read
from wattline.cli.importing.talk import dialogs, referrals, systems

ID = "5c4b810d2772c0377beb1d13aeca4abc"
TOKEN = {"id": ID, "user_id": "u1", "tokens_gpt": 8500}
DIALOG = {"name": "u1", "messages": [{"role": "user", "content": "hi"}]}
KEY = {"userId": "test", "tokenUsage": 19218, "role": "user", "tier": "free"}
PROVIDER = {"id": "openai", "apiKey": "sk", "provider_url": "https://x.example/v1", "models": {}}
TIER = {"rps": 20, "rpm": 1000, "rpd": 10000, "max_tokens": 5000000}


@pytest.mark.parametrize(
    ("value", "kind", "rows"),
    [
        ([TOKEN], Kind.TOKENS, 1),
        ({"tokens": [TOKEN, TOKEN]}, Kind.TOKENS, 2),
        ({"tokens": [TOKEN, "x", None, {"id": ID}]}, Kind.TOKENS, 4),
        ({"tokens": []}, Kind.TOKENS, 0),
        ({"dialogs": [DIALOG]}, Kind.DIALOGS, 1),
        ([{"name": "u", "messages": []}], Kind.DIALOGS, 1),
        ({"systemMessages": [{"userId": "u", "systemMessage": "s"}]}, Kind.SYSTEM_MESSAGES, 1),
        ([{"referrer_id": "a", "referred_id": "b"}], Kind.REFERRALS, 1),
        ({"referrals": [{"id": "b", "parent": "a", "children": []}]}, Kind.REFERRALS, 1),
        ({"f" * 64: KEY, "e" * 64: KEY}, Kind.KEYS, 2),
        ([PROVIDER], Kind.PROVIDERS, 1),
        ({"free": TIER, "pro": TIER}, Kind.TIERS, 2),
    ],
)
def test_each_shape(value, kind, rows):
    """A-137, B-003."""
    found = read(json.dumps(value).encode())
    assert (found.kind, len(found.rows)) == (kind, rows)


def test_names_are_no_places():
    """A key is a secret, and is the name of its row."""
    found = read(json.dumps({"f" * 64: KEY}).encode())
    ((place, row),) = found.rows
    assert place == "row 1"
    assert row[NAME] == "f" * 64
    assert "f" * 64 not in repr(found)


BAD = {
    "empty": b"",
    "half": b'{"tokens": [{"id": "5c4b810d2772c0377beb1d13aeca4abc", "user_',
    "latin-1": b'["\xe9"]',
    "deep": b"[" * 100_000,
    "another": b'{"hello": "world"}',
    "a list of nothing": b"[1, 2, 3]",
    "a word": b'"tokens"',
    "html": b"<html>",
    "nothing": b"[]",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_file(name):
    with pytest.raises(NoImport) as caught:
        read(BAD[name])
    assert "5c4b" not in str(caught.value)


def test_a_mark_at_the_beginning_and_numbers_that_are_none():
    data = b"\xef\xbb\xbf" + json.dumps([TOKEN]).replace("8500", "9" * 9_999).encode()
    (row,) = read(data).rows
    assert row[1]["tokens_gpt"] == float("inf")


def test_names_twice_are_told():
    data = b'{"a": {"userId": "x", "tier": "t"}, "a": {"userId": "y", "tier": "t"}}'
    found = read(data)
    assert (len(found.rows), found.twice) == (1, 1)


def refused_of(rows):
    """What became of token rows: people, and reasons by place."""
    people, refused = People(), []
    for place, row in rows:
        people.add_token(place, row, lambda at, why: refused.append((at, why)))
    return people, dict(refused)


@pytest.mark.parametrize(
    ("amount", "start"),
    [
        (8500, 8_500_000_000),
        (0, 0),
        (15.75, 15_750_000),
        ("8500", 8_500_000_000),
        (-4235, 0),
        (0.1234567, 123_457),
        (999_999_999_999_339, None),
        (1e-300, 0),
    ],
)
def test_balances(amount, start):
    """A-137: more than the ledger counts is no limit; debts are not taken over."""
    people, refused = refused_of([("r", TOKEN | {"tokens_gpt": amount})])
    assert not refused
    assert people.found["u1"].start == start


@pytest.mark.parametrize(
    "amount",
    [
        None,
        True,
        [],
        {},
        "",
        "x",
        "1/3",
        "1e999999",
        "9" * 50,
        float("nan"),
        float("inf"),
        1e300,
        2**60,
    ],
)
def test_amounts_that_are_none(amount):
    people, refused = refused_of([("r", TOKEN | {"tokens_gpt": amount})])
    assert not people.found
    assert refused["r"].startswith("tokens_gpt: ")


@pytest.mark.parametrize(
    "secret", [None, 5, "", "short", "a" * 32, "with a space 0123456789", "é" * 20, "x7" * 200]
)
def test_keys_that_are_none(secret):
    people, refused = refused_of([("r", TOKEN | {"id": secret})])
    assert not people.found
    assert "key" in refused["r"]
    assert not isinstance(secret, str) or not secret or secret not in refused["r"]


def test_one_user_in_several_rows():
    """Balances add up; the same key counts once; a key is one user's only."""
    other = "70be0350f3f75fd0ca4aa1c9cbcf5ffa"
    rows = [
        ("0", TOKEN),
        ("1", TOKEN | {"id": other, "tokens_gpt": 1}),
        ("2", TOKEN),
        ("3", TOKEN | {"user_id": "u2"}),
        ("4", TOKEN | {"id": "b04512faeb54f3b66f9bebf58795d49a", "user_id": 77}),
    ]
    people, refused = refused_of(rows)
    assert people.found["u1"].start == 8_501_000_000
    assert list(people.found["u1"].keys) == [ID, other]
    assert refused == {"3": "its key is also another user's in these files"}
    assert list(people.found) == ["u1", "77"]


def test_a_user_that_is_named_by_its_key():
    """Its id would be in logs and lists: it gets another, in all files."""
    people, _ = refused_of([("0", TOKEN | {"user_id": ID})])
    (name,) = people.found
    assert name.startswith("imported-")
    assert ID not in repr(people.found)
    ((_, row),) = dialogs([("0", DIALOG | {"name": ID})], people, pytest.fail)
    assert (row.user, row.coming) == (name, True)


def test_dialogs():
    refused = []
    messages = [
        {"role": "user", "content": "one"},
        {"role": "system", "content": "no"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "image_url"}]},
        {"role": "user", "content": None},
        "three",
        {"role": "user", "content": "\ud800"},
    ]
    rows = [("0", {"name": "u", "messages": messages}), ("1", DIALOG | {"name": "u"}), ("2", {})]
    rows += [("3", DIALOG | {"name": "v", "messages": []}), ("4", "x")]
    found = list(dialogs(rows, People(), lambda at, _: refused.append(at)))
    assert [(row.user, row.messages) for _, row in found] == [
        ("u", [("user", "one"), ("assistant", "two")])
    ]
    assert refused == ["0.messages", "1", "2", "4"]


def test_a_dialog_that_is_too_long_keeps_its_newest():
    refused = []
    messages = [{"role": "user", "content": f"{n}" + "x" * 500_000} for n in range(9)]
    ((_, row),) = dialogs(
        [("0", {"name": "u", "messages": messages})], People(), lambda at, _: refused.append(at)
    )
    assert [text[0] for _, text in row.messages] == ["5", "6", "7", "8"]
    assert refused == ["0.messages"]


def test_referrals_and_system_messages():
    refused = []
    rows = [
        ("0", {"referrer_id": "a", "referred_id": "b"}),
        ("1", {"id": "b", "parent": "a", "children": []}),
        ("2", {"id": "b", "parent": "c", "children": []}),
        ("3", {"id": "a", "children": ["b"]}),
        ("4", {"id": 5, "parent": 6}),
        ("5", None),
    ]
    found = list(referrals(rows, People(), lambda at, _: refused.append(at)))
    assert [(row.referrer, row.referred) for _, row in found] == [("a", "b"), ("6", "5")]
    assert refused == ["2", "5"]
    rows = [
        ("0", {"userId": "u", "systemMessage": "s"}),
        ("1", {"userId": "u", "systemMessage": "t"}),
    ]
    rows += [("2", {"userId": "v", "systemMessage": 5}), ("3", [])]
    refused.clear()
    found = list(systems(rows, People(), lambda at, _: refused.append(at)))
    assert [(row.user, row.content) for _, row in found] == [("u", "s")]
    assert refused == ["1", "2", "3"]


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "tokens", "id", "user_id", "tokens_gpt", "name", "messages", "role", "content", "userId",
                "parent", "children", "tier", "rpm", "provider_url", "models", "apiKey",
            ]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(NESTED)
def test_whatever_is_in_a_file(value):
    """Wrong types at every place end in reasons, never in an exception."""
    try:
        found = read(json.dumps(value).encode())
    except NoImport:
        return
    people = People()
    for place, row in found.rows:
        if isinstance(row, dict):
            people.add_token(place, row, lambda *_: None)
            people.add_key(place, row, lambda *_: None, None)
    for read_rows in (dialogs, systems, referrals):
        list(read_rows(found.rows, people, lambda *_: None))
    for person in people.found.values():
        person.row()
