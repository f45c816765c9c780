"""Strict JSON: what is refused, what is said about it, and where the members stand."""

from __future__ import annotations

import json
import time
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.base.json_members import members
from wattline.base.numeral import Numeral
from wattline.base.strict_json import (
    MAX_CONTAINERS,
    MAX_ITEMS,
    MAX_MEMBERS,
    read_object,
)


def code_of(raw: bytes, max_depth: int = 128) -> str:
    with pytest.raises(ClientFault) as caught:
        read_object(raw, max_depth=max_depth)
    assert caught.value.status == 400
    assert caught.value.message.endswith(".")
    return caught.value.code


BAD: list[tuple[bytes, str]] = [
    (b"", "invalid_json"),
    (b" ", "invalid_json"),
    (b"\n\n", "invalid_json"),
    (b"{", "invalid_json"),
    (b"}", "invalid_json"),
    (b"{]", "invalid_json"),
    (b"[}", "invalid_json"),
    (b'{"a"', "invalid_json"),
    (b'{"a":', "invalid_json"),
    (b'{"a":1', "invalid_json"),
    (b'{"a":1,', "invalid_json"),
    (b'{"a":1,}', "invalid_json"),
    (b'{"a":1,,"b":2}', "invalid_json"),
    (b'{,"a":1}', "invalid_json"),
    (b'{"a" 1}', "invalid_json"),
    (b'{"a"::1}', "invalid_json"),
    (b"{a:1}", "invalid_json"),
    (b"{'a':1}", "invalid_json"),
    (b"{1:1}", "invalid_json"),
    (b"{null:1}", "invalid_json"),
    (b'{"a":1} x', "invalid_json"),
    (b'{"a":1}{"a":1}', "invalid_json"),
    (b'{"a":1}]', "invalid_json"),
    (b'{"a":1}\0', "invalid_json"),
    (b'{"a":01}', "invalid_json"),
    (b'{"a":+1}', "invalid_json"),
    (b'{"a":-}', "invalid_json"),
    (b'{"a":.5}', "invalid_json"),
    (b'{"a":1.}', "invalid_json"),
    (b'{"a":1e}', "invalid_json"),
    (b'{"a":0x10}', "invalid_json"),
    (b'{"a":1_000}', "invalid_json"),
    (b'{"a":tru}', "invalid_json"),
    (b'{"a":True}', "invalid_json"),
    (b'{"a":None}', "invalid_json"),
    (b'{"a":undefined}', "invalid_json"),
    (b'{"a":nan}', "invalid_json"),
    (b'{"a":"x}', "invalid_json"),
    (b'{"a":"\n"}', "invalid_json"),
    (b'{"a":"\t"}', "invalid_json"),
    (b'{"a":"\x00"}', "invalid_json"),
    (b'{"a":"\\q"}', "invalid_json"),
    (b'{"a":"\\u12"}', "invalid_json"),
    (b'{"a":"\\u12zz"}', "invalid_json"),
    (b'{"a":"\\', "invalid_json"),
    (b'{"a":[1,]}', "invalid_json"),
    (b'{"a":[,1]}', "invalid_json"),
    (b'{"a":[1 2]}', "invalid_json"),
    (b'{"a":[1', "invalid_json"),
    (b"// c\n{}", "invalid_json"),
    (b"{/* c */}", "invalid_json"),
    (b"<html></html>", "invalid_json"),
    (b"model=gpt-4o", "invalid_json"),
    (b'{"a":1}\x0c', "invalid_json"),
    (b"\x0b{}", "invalid_json"),
    ("{\u00a0}".encode(), "invalid_json"),
    ('{"a":\uff11}'.encode(), "invalid_json"),
    (b'{"a":' + b"9" * 4301 + b"}", "invalid_json"),
    (b'{"a":-' + b"9" * 5000 + b"}", "invalid_json"),
    (b"[" * 100_000, "too_deep"),
    (b'{"a":' * 100_000, "too_deep"),
    (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "too_deep"),
    (b'{"a":' + b"[" * 128 + b"]" * 128 + b"}", "too_deep"),
    (b'{"a":NaN}', "not_finite"),
    (b'{"a":Infinity}', "not_finite"),
    (b'{"a":-Infinity}', "not_finite"),
    (b'{"a":1e999}', "not_finite"),
    (b'{"a":-1e999}', "not_finite"),
    (b'{"a":[{"b":1E+400}]}', "not_finite"),
    (b'{"a":1,"a":2}', "duplicate_key"),
    (b'{"a":1,"a":1}', "duplicate_key"),
    (b'{"model":"a","mod\\u0065l":"b"}', "duplicate_key"),
    (b'{"x":[{"y":{"a":1,"b":2,"a":3}}]}', "duplicate_key"),
    (b'{"":1,"":2}', "duplicate_key"),
    (b"[]", "not_an_object"),
    (b"[{}]", "not_an_object"),
    (b'"model"', "not_an_object"),
    (b"1", "not_an_object"),
    (b"null", "not_an_object"),
    (b"true", "not_an_object"),
    (b"\xef\xbb\xbf{}", "invalid_encoding"),
    (b"\xff\xfe{\0}\0", "invalid_encoding"),
    (b"\xfe\xff\0{\0}", "invalid_encoding"),
    ('{"a":1}'.encode("utf-16-le"), "invalid_encoding"),
    ('{"a":1}'.encode("utf-16-be"), "invalid_encoding"),
    ('{"a":1}'.encode("utf-32"), "invalid_encoding"),
    ('{"a":1}'.encode("utf-32-be"), "invalid_encoding"),
    (b'{"a":"\xff"}', "invalid_encoding"),
    (b'{"a":"\xc0\xaf"}', "invalid_encoding"),
    (b'{"a":"\xed\xa0\x80"}', "invalid_encoding"),
    (b'{"a":"\xe2\x82"}', "invalid_encoding"),
    (b'{"a\xe9":1}', "invalid_encoding"),
    (b'{"mod\\ud800el":"x"}', "invalid_encoding"),
    (b'{"x":[{"\\udfff":1}]}', "invalid_encoding"),
    (b'{"\\ud83d":1,"b":"\\ud83d\\ude00"}', "invalid_encoding"),
]


@pytest.mark.parametrize(("raw", "code"), BAD, ids=lambda value: repr(value[:24]))
def test_bad_bodies_are_refused_with_their_code(raw: bytes, code: str) -> None:
    """A-151, E-084: no garbage gets past the reader, and each kind has its own code."""
    assert code_of(raw) == code


def test_python_and_json_agree_on_what_is_read() -> None:
    raw = b' {"a" : [1, -0, 1.5e3, true, null, "x\\u0041\\ud83d\\ude00"], "\xc3\xa9": {}}\r\n'
    assert read_object(raw, max_depth=128) == json.loads(raw)


def test_depth_counts_the_object_itself_and_not_brackets_in_texts() -> None:
    assert read_object(b'{"a":[[1]]}', max_depth=3) == {"a": [[1]]}
    assert code_of(b'{"a":[[1]]}', 2) == "too_deep"
    wide = json.dumps({"m": [{"t": '[[[[{{{{\\"'}] * 300}).encode()
    assert read_object(wide, max_depth=3)["m"][299] == {"t": '[[[[{{{{\\"'}


def test_half_a_surrogate_in_a_text_is_let_through_but_not_in_a_key() -> None:
    assert read_object(b'{"a":"\\ud83d"}', max_depth=9) == {"a": "\ud83d"}


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"a": 1,\n "b": tru}', "line 2, column 7"),
        (b'{"a": "NaN",\n "b":\n  NaN}', "line 3, column 3"),
        (b'{"a": "1e999", "b": 1e999}', "line 1, column 21"),
        (b'{\n"a": ' + b"9" * 5000 + b"}", "line 2, column 6"),
        (b'{"a": "[[",\n"b": [[1]]}', "line 2, column 7"),
        (b'{"key": 1, "key": 2}', "'key'"),
        (b'{"a":"\xff"}', "offset 6"),
    ],
)
def test_messages_name_the_place(raw: bytes, place: str) -> None:
    with pytest.raises(ClientFault) as caught:
        read_object(raw, max_depth=2)
    assert place in caught.value.message


def test_messages_never_show_content_but_for_one_short_key() -> None:
    """T15: what a client wrote must not come back in an error or a log."""
    secret = "sk-secret-0123456789"
    bodies = [
        f'{{"a":"{secret}" "b"}}',
        f'{{"a":"{secret}","b":NaN}}',
        f'{{"a":"{secret}","b":1,"b":2}}',
        f'{{"a":"{secret}',
        f'["{secret}"]',
        f'{{"a":["{secret}",[[[[1]]]]]}}',
    ]
    for body in bodies:
        with pytest.raises(ClientFault) as caught:
            read_object(body.encode(), max_depth=3)
        assert "sk-" not in caught.value.message
    key = "k" * 60 + "\x1b[31m" + secret
    with pytest.raises(ClientFault) as caught:
        read_object(
            json.dumps({"p": 1})[:-1].encode() + f",{json.dumps(key)}:1".encode() * 2 + b"}",
            max_depth=9,
        )
    assert "\x1b" not in caught.value.message
    assert secret not in caught.value.message


def test_a_flood_of_empty_containers_is_refused_before_it_takes_memory() -> None:
    """T20: 2 bytes of text would become some 100 bytes of memory each."""
    raw = b'{"a":[' + b"{}," * (MAX_CONTAINERS + 1) + b"{}]}"
    tracemalloc.start()
    assert code_of(raw) == "too_many_items"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * len(raw)
    text = json.dumps({"a": "{[" * MAX_CONTAINERS}).encode()
    assert read_object(text, max_depth=4)["a"].startswith("{[")


def test_a_flood_of_nested_containers_is_refused_too() -> None:
    """T20: without a comma between them."""
    raw = b'{"a":' + b'{"a":' * (MAX_CONTAINERS + 1) + b"1" + b"}" * (MAX_CONTAINERS + 2)
    assert code_of(raw) == "invalid_json"


def elements(count: int) -> bytes:
    return b'{"a":[' + b",".join([b"1"] * count) + b"]}"


def members_of(count: int) -> bytes:
    return b'{"b":{' + b",".join(b'"member%07d":1' % n for n in range(count)) + b"}}"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (elements(MAX_ITEMS + 2), "members and elements"),
        (members_of(MAX_MEMBERS + 1), "more than 65536 members"),
        (members_of(MAX_MEMBERS + 1)[:-1] + b',"b":1}', "more than 65536 members"),
        (members_of(MAX_MEMBERS + 1) + b"x", "more than 65536 members"),
        (members_of(MAX_MEMBERS + 1)[:-2], "more than 65536 members"),
    ],
    ids=["elements", "members", "members and a key twice", "members and garbage", "cut"],
)
def test_too_many_items_are_refused_before_they_are_read(raw: bytes, says: str) -> None:
    """T20: nothing else goes on while a parser reads, and our own loops over them are slower yet."""
    with pytest.raises(ClientFault, match=says) as caught:
        read_object(raw, max_depth=128)
    assert caught.value.code == "too_many_items"
    assert caught.value.status == 400


def test_as_many_items_as_allowed_are_read() -> None:
    assert len(read_object(elements(MAX_ITEMS), max_depth=8)["a"]) == MAX_ITEMS
    assert len(read_object(members_of(MAX_MEMBERS), max_depth=8)["b"]) == MAX_MEMBERS
    odd = members_of(MAX_MEMBERS)[:-1] + b',"x":1.0e0,"y":"\\ud800","z":":"}'
    assert len(read_object(odd, max_depth=8)["b"]) == MAX_MEMBERS


def test_a_text_full_of_commas_is_one_item() -> None:
    table = "a,b,c\n" * MAX_ITEMS
    assert read_object(json.dumps({"a": table}).encode(), max_depth=8)["a"] == table
    quoted = '"a",{b,\n' * (MAX_ITEMS // 2)
    assert read_object(json.dumps({"a": quoted}).encode(), max_depth=8)["a"] == quoted


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"' + b'\\"' * 500_000,
        b'{"a":"' + b"\\" * 999_999,
        b'{"a":' + b'"' * 1_000_000,
        b" " * 1_000_000,
        b'{"a":' + b"-" * 1_000_000,
        b'{"a":' + b"1" * 1_000_000 + b".5}",
        b'{"a":"[" ' + b"NaN " * 250_000,
        b'{"a":' + b"[" * 1_000_000,
    ],
    ids=range(8),
)
def test_hostile_megabytes_take_linear_time(raw: bytes) -> None:
    started = time.process_time()
    code_of(raw)
    assert time.process_time() - started < 15
    started = time.process_time()
    members(raw)
    assert time.process_time() - started < 15


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(alphabet='{}[]",:\\u0dn1e9.- aNI', max_size=40).map(str.encode),
    )
)
def test_any_bytes_give_an_object_or_a_client_fault(raw: bytes) -> None:
    try:
        value = read_object(raw, max_depth=4)
    except ClientFault as fault:
        assert fault.status == 400  # noqa: PT017  (either outcome is right)
    else:
        assert value == json.loads(raw)


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", 'q"', "ü", "\\", "a:", '":']),
        st.sampled_from(
            ["1", '"x"', '"\\":"', '{"a":1}', '{"a":1,"a":2}', "[[]]", "null", '"c : d"']
        ),
        st.sampled_from([":", " :", "\t:", "\n:", ": "]),
    ),
    max_size=5,
)


@settings(max_examples=400)
@given(MEMBERS)
def test_the_quick_way_never_lets_a_second_key_through(pairs):
    """What the quick way takes, the careful way takes too, with the same value."""
    body = ",".join(f"{json.dumps(key)}{colon}{value}" for key, value, colon in pairs)
    raw = f"{{{body}}}".encode()

    def careful(found):
        assert len({key for key, _ in found}) == len(found)
        return dict(found)

    try:
        value = read_object(raw, max_depth=16)
    except ClientFault:
        return
    assert json.loads(raw, object_pairs_hook=careful) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=0, max_value=10**12))
def test_exact_numbers_keep_their_digits(number):
    """And are floats otherwise."""
    value = read_object(b'{"a": [%s]}' % str(number).encode(), max_depth=2, exact=True)["a"][0]
    if isinstance(value, Numeral):
        assert Decimal(value.text) == number
    assert float(value) == float(number)


def test_exact_refuses_what_is_refused_otherwise():
    for raw, code in {
        b'{"a": 1.0, "a": 1.0}': "duplicate_key",
        b'{"a": 1e400}': "not_finite",
        b'{"a": NaN}': "not_finite",
        b'{"a": [[1.0]]}': "too_deep",
        b"[1.0]": "not_an_object",
        b'{"a": 1.': "invalid_json",
    }.items():
        with pytest.raises(ClientFault) as caught:
            read_object(raw, max_depth=2, exact=True)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"1.50", "1.50"),
        (b"15e-1", "1.5"),
        (b"1.5E+3", "1500"),
        (b"1e-999999999", "1e-999999999"),
        (b"1e31", "1e31"),
        (b"-0.0", "-0.0"),
        (b"1e" + b"0" * 5_000 + b"1", "1e" + "0" * 5_000 + "1"),
    ],
)
def test_a_numeral_is_written_out(written, text):
    """But for exponents that would make it long."""
    value = read_object(b'{"a": %s}' % written, max_depth=1, exact=True)["a"]
    assert (value.text, value) == (text, float(written))


@pytest.mark.parametrize("raw", [b"", b"  \r\n", b" " * 100_000])
def test_an_empty_body_is_called_empty(raw):
    with pytest.raises(ClientFault, match=r"^The body is empty\. Send one JSON object\.$"):
        read_object(raw, max_depth=10)


@pytest.mark.parametrize("content", [b"words", b"\xff\x00\xd8" * 100])
@pytest.mark.parametrize("before", [b"", b"\r\n"])
def test_a_form_is_called_a_form(content, before):
    head = b'--b0\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    with pytest.raises(ClientFault, match=r"^multipart/form-data is not taken here; send JSON\.$"):
        read_object(before + head + content + b"\r\n--b0--\r\n", max_depth=10)
