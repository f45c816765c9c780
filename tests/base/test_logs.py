"""Lines of the log as text and as JSON: one a record, no secret, nothing that a terminal obeys."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.key_hash import KeyHash
from wattline.base.logs import (
    JsonFormatter,
    SafeFormatter,
    default_level,
    note_request,
    request_noted,
    set_level,
    stamp,
)

SECRET = "sk-secret-of-upstream-0000"
NASTY = [
    "a\nb",
    "a\r\nb",
    "\x1b[31mred",
    "\x9b31m",
    "\u202ereversed",
    "\u2028",
    "\x7f",
    "\0",
    SECRET,
]


def record(message, *args, name="wattline.requests", level=logging.INFO, **more):
    return logging.LogRecord(name, level, "", 0, message, args, more.pop("exc_info", None))


def json_of(one, **more):
    text = JsonFormatter(lambda: [SECRET], more.get("hide")).format(one)
    assert "\n" not in text
    assert text.isascii()
    assert text.isprintable()
    return json.loads(text)


def raised(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


def test_text_is_as_it_was():
    one = record("%s refused: %s", "req_1", 400)
    assert SafeFormatter(tuple).format(one)[8:] == " INFO    req_1 refused: 400"


def test_json_has_time_level_family_and_request():
    """A-059, A-174, A-175."""
    one = record("%(request_id)s refused: %(status)s", {"request_id": "req_1", "status": 400})
    one.created = 1_700_000_000.25
    assert json_of(one) == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "wattline.requests",
        "request_id": "req_1",
        "message": "req_1 refused: 400",
        "status": 400,
    }


@pytest.mark.parametrize("text", NASTY)
def test_no_field_writes_a_line_of_its_own_or_a_secret(text):
    """T16: message, argument, member's name and value, logger, request, exception."""
    members = {"request_id": text, text: text, "value": text}
    ones = [
        record(text),
        record("%s", text),
        record("%(value)s", members),
        record("x", name=f"wattline.{text}"),
        record("x", exc_info=raised(text)),
    ]
    for one in ones[:-2]:
        assert SECRET not in json.dumps(json_of(one))
    for one in ones:
        json_of(one)
        shown = SafeFormatter(lambda: [SECRET]).format(one)
        assert SECRET not in shown
        assert all(line.isprintable() for line in shown.split("\n"))
        assert all(line.startswith("    ") for line in shown.split("\n")[1:])


@given(st.text(), st.text(), st.floats(), st.integers())
def test_whatever_is_in_it_a_line_is_json(text, name, number, count):
    members = {name: text, "number": number, "count": count, "object": object()}
    one = record("x", members)
    found = json_of(one)
    assert found["message"] == "x"
    assert found["level"] == "info"


def test_an_exception_is_one_member():
    found = json_of(record("failed", exc_info=raised(f"with {SECRET}")))
    assert found["error"].startswith("Traceback")
    assert "[redacted]" in found["error"]


def test_long_things_are_cut():
    found = json_of(record("%s", "x" * 100_000, exc_info=raised("y" * 100_000)))
    assert len(found["message"]) < 10_000
    assert len(found["error"]) < 20_000


def test_a_secret_in_json_that_must_be_escaped_is_found():
    one = record("%s", 'key "quoted\\secret" here')
    text = JsonFormatter(lambda: ['"quoted\\secret"']).format(one)
    assert json.loads(text)["message"] == "key [redacted] here"


async def test_lines_of_a_task_have_its_request_and_no_other():
    """A-059: also in tasks that it starts, and in a thread that formats later."""
    found = {}

    async def call(name):
        note_request(name)
        await asyncio.sleep(0)
        found[name] = (stamp(record("x")), await asyncio.to_thread(request_noted))
        found[f"{name}/lib"] = (stamp(record("x", name="aiohttp.client")), None)

    await asyncio.gather(call("req_1"), call("req_2"))
    assert request_noted() is None
    for name in ("req_1", "req_2"):
        one, noted = found[name]
        assert json_of(one)["request_id"] == noted == name
        assert SafeFormatter(tuple).format(one)[8:] == f" INFO    {name} x"
        assert "request_id" not in json_of(found[f"{name}/lib"][0])
        assert SafeFormatter(tuple).format(found[f"{name}/lib"][0]).endswith(" x")


def test_a_line_of_text_names_its_request_once():
    """A-059: first, unless its message does so itself."""
    one, other = record("%s refused: %s", "req_1", 400), record("user ann was made")
    one.wattline_request = other.wattline_request = "req_1"
    assert SafeFormatter(tuple).format(one)[8:] == " INFO    req_1 refused: 400"
    assert SafeFormatter(tuple).format(other)[8:] == " INFO    req_1 user ann was made"
    assert other.message == "user ann was made"


@pytest.mark.parametrize(("level", "shown"), [
    ("debug", 10), ("info", 20), ("warn", 30), ("WARNING", 30), ("error", 40), ("silent", 51),
    ("SILENT", 51),
])  # fmt: skip
def test_levels(level, shown):
    """B-133, D-024, E-026."""
    logger = logging.getLogger("wattline")
    before = logger.level
    try:
        set_level(level)
        assert logger.level == shown
    finally:
        logger.setLevel(before)


@pytest.mark.parametrize(("env", "level"), [
    ({}, "info"), ({"NODE_ENV": "production"}, "info"), ({"NODE_ENV": "development"}, "debug"),
])  # fmt: skip
def test_the_default_level_is_that_of_the_environment(env, level):
    """D-023, B-133."""
    assert default_level(env) == level


def test_ids_of_keys_are_hashed_where_a_secret_is_set():
    """B-135: one key, one hash; another secret, another hash; nothing without a secret."""
    line = "key key_0123456789abcdef of ann (user) was made"
    one, other = (KeyHash.from_env({"API_KEY_HASH_SECRET": text}) for text in ("one", "other"))
    hidden = one.hide(line)
    assert "key_0123456789abcdef" not in hidden
    assert hidden == one.hide(line) != other.hide(line)
    assert hidden.startswith("key keyhash_")
    assert KeyHash.from_env({}) is None
    assert "one" not in repr(one)
    text = SafeFormatter(tuple, one.hide).format(record("%s", line))
    assert text.endswith(hidden)
    found = json_of(record("%(key)s", {"key": "key_0123456789abcdef"}), hide=one.hide)
    assert found["key"] == found["message"] != "key_0123456789abcdef"
