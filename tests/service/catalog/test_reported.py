"""Providers' lists, well-formed and not."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.service.catalog.reported import MAX_MODELS, BadList, Reported, price, read_list


def read(value) -> tuple[Reported, ...]:
    return read_list(json.dumps(value).encode())


def test_a_bare_list_and_both_names_of_the_member():
    for value in ([{"id": "a"}], {"data": [{"id": "a"}]}, {"models": [{"name": "a"}]}):
        assert [model.id for model in read(value)] == ["a"]


def test_groq_and_mistral_say_more():
    (groq,) = read({"data": [{"id": "g", "context_window": 8192, "max_completion_tokens": 100}]})
    assert (groq.context, groq.max_output) == (8192, 100)
    (mistral,) = read(
        {
            "data": [
                {
                    "id": "m",
                    "max_context_length": 32768,
                    "capabilities": {"vision": True, "function_calling": True},
                }
            ]
        }
    )
    assert mistral.context == 32768
    assert mistral.capabilities == ("vision", "function-calling")


def test_what_is_switched_off_is_left_out():
    assert read({"data": [{"id": "a", "active": False}, {"id": "b", "active": True}]})[0].id == "b"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"1", b'"x"', b"{}", b'{"data": 1}', b'{"data": {"id": "a"}}', b"<html>"],
)
def test_no_list(body):
    with pytest.raises(BadList):
        read_list(body)


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        "a",
        [],
        {},
        {"id": ""},
        {"id": 1},
        {"id": None},
        {"id": "a\x00b"},
        {"id": "x" * 201},
    ],
)
def test_wrong_items_are_left_out(item):
    assert [model.id for model in read({"data": [item, {"id": "good"}]})] == ["good"]


def test_ids_come_once_and_there_is_a_bound():
    assert len(read([{"id": "a"}, {"id": "a"}])) == 1
    assert len(read([{"id": str(n)} for n in range(MAX_MODELS + 5)])) == MAX_MODELS


WRONG = [None, True, -1, 0, 1e400, "x", [], {}, [[]], {"a": 1}, 10**30]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        "created",
        "context_length",
        "max_tokens",
        "pricing",
        "supported_parameters",
        "top_provider",
        "architecture",
        "capabilities",
        "owned_by",
        "description",
        "display_name",
    ],
)
def test_wrong_types_count_as_not_said(name, wrong):
    text = json.dumps({"data": [{"id": "a", name: wrong}]}).replace("Infinity", "1e400")
    (model,) = read_list(text.encode())
    assert model.context is None or model.context > 0
    assert model.max_output is None or model.max_output > 0
    assert model.created is None or model.created > 0


@given(st.binary(max_size=200))
def test_any_bytes(data):
    with contextlib.suppress(BadList):
        read_list(data)


def test_too_deep():
    with pytest.raises(BadList):
        read_list(b"[" * 100_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.0000025", "0.0000025"),
        (0.0000025, "0.0000025"),
        ("2.5e-06", "0.0000025"),
        ("0", "0"),
        (0, "0"),
        ("10", "10"),
        ("1.50", "1.5"),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("x", None),
        (True, None),
        (None, None),
        ({}, None),
        ("1e-300", None),
        ("1e30", None),
    ],
)
def test_prices_are_plain_text(value, text):
    """D-044: prices as strings."""
    assert price(value) == text
