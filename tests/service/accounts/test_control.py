"""Questions of the command line: a line in, a line out, whatever the line."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.accounts import accounts_at
from wattline.service.accounts.control import Control
from wattline.service.accounts.control_door import NAME, ControlDoor, connect


@asynccontextmanager
async def control(folder):
    async with accounts_at(folder, "tiers: {gold: {rps: 1000}}\n") as (accounts, clock):
        desk = Control(accounts)

        async def ask(verb, **given):
            return json.loads(await desk.handle(json.dumps({"verb": verb, **given}).encode()))

        yield ask, accounts, clock


async def test_the_life_of_a_key(tmp_path):
    """A-135."""
    async with control(tmp_path) as (ask, _accounts, _):
        made = (
            await ask("create", user="john", credit="5000.5", models=["m*"], budgets={"day": 7})
        )["result"]
        key = made["key"]["id"]
        assert len(made["secret"]) == 32
        assert (made["key"]["balance"], made["key"]["models"]) == (5000.5, ["m*"])
        again = (await ask("create", user="john", credit=1))["result"]
        assert again["key"]["balance"] == 5001.5
        listed = (await ask("list", user="john"))["result"]["keys"]
        assert [one["id"] for one in listed] == [key, again["key"]["id"]]
        assert made["secret"] not in json.dumps(listed)
        assert (await ask("rotate", key=key))["result"]["secret"] != made["secret"]
        assert (await ask("disable", key=key))["result"]["key"]["active"] is False
        assert (await ask("enable", key=key))["result"]["key"]["active"] is True
        changed = (await ask("set", key=key, models=None, tier="gold", expires=5))["result"]["key"]
        assert (changed["models"], changed["tier"], changed["active"]) == (None, "gold", False)
        assert changed["budgets"]["day"] == 7
        assert (await ask("rotate", key="john"))["error"]["code"] == "several_keys"
        assert (await ask("delete", key=key))["ok"]
        assert (await ask("rotate", key="john"))["ok"]
        less = await ask("credit", user="john", energy="1.5", subtract=True)
        assert less["result"]["user"]["balance"] == 5000
        assert (await ask("credit", user="john", energy=9999, subtract=True))["error"][
            "status"
        ] == 409
        shown = (await ask("show", name="john"))["result"]
        assert (shown["user"]["id"], len(shown["keys"])) == ("john", 1)


async def test_a_key_that_can_not_be_made_credits_nothing(tmp_path):
    """Who asks again after a mistake is not credited twice, and a new user is not left without a key."""
    async with control(tmp_path) as (ask, accounts, _):
        await ask("create", user="john", credit=5)
        for user in ("john", "jane"):
            for wrong in (
                {"tier": "bulk"},
                {"label": "x" * 301},
                {"models": ["m"] * 201},
                {"expires": 5},
            ):
                assert not (await ask("create", user=user, credit=7, **wrong))["ok"]
        assert accounts.balance("john") == 5_000_000
        assert accounts.store.user("jane") is None


async def test_the_life_of_a_user(tmp_path):
    async with control(tmp_path) as (ask, _accounts, _):
        made = (await ask("create_user", user="ann", email="Ann@x.test", credit=5))["result"][
            "user"
        ]
        assert (made["email"], made["balance"], made["keys"]) == ("ann@x.test", 5, 0)
        assert (await ask("create_user", user="ann"))["error"]["code"] == "user_exists"
        key = (await ask("create", user="ann"))["result"]["key"]["id"]
        changed = (await ask("set_user", user=key, tier="gold", role="admin", name=None))["result"]
        user = changed["user"]
        assert (user["id"], user["tier"], user["role"], user["name"]) == (
            "ann",
            "gold",
            "admin",
            "",
        )
        assert (user["email"], user["keys"]) == ("ann@x.test", 1)
        gone = (await ask("set_user", user="ann", tier=None, email=None))["result"]["user"]
        assert (gone["tier"], gone["email"], gone["role"]) == (None, None, "admin")
        assert (await ask("disable_user", user="ann"))["result"]["user"]["disabled"]
        assert not (await ask("list"))["result"]["keys"][0]["active"]
        assert (await ask("enable_user", user="ann"))["result"]["user"]["disabled"] is None
        await ask("create_user", user="Bob", role="user")
        told = (await ask("users"))["result"]["users"]
        assert [one["id"] for one in told] == ["Bob", "ann"]
        told = (await ask("users", role="admin"))["result"]["users"]
        assert [one["id"] for one in told] == ["ann"]


@pytest.mark.parametrize(
    ("verb", "given", "code"),
    [
        ("set_user", {"user": "ann"}, "invalid_value"),
        ("set_user", {"tier": "gold"}, "invalid_value"),
        ("set_user", {"user": "ann", "tier": "none"}, "unknown_tier"),
        ("set_user", {"user": "ann", "tier": ["gold"]}, "invalid_value"),
        ("set_user", {"user": "ann", "role": None}, "invalid_value"),
        ("set_user", {"user": "ann", "role": "root"}, "invalid_value"),
        ("set_user", {"user": "ann", "role": "admin", "password": "x"}, "invalid_value"),
        ("set_user", {"user": "no", "role": "admin"}, "user_not_found"),
        ("create_user", {"user": "bob", "tier": "none"}, "unknown_tier"),
        ("create_user", {"user": "b/b"}, "invalid_value"),
        ("disable_user", {"user": "no"}, "user_not_found"),
        ("enable_user", {}, "invalid_value"),
        ("users", {"role": "root"}, "invalid_value"),
        ("users", {"user": "ann"}, "invalid_value"),
    ],
)
async def test_mistakes_about_users_change_nothing(tmp_path, verb, given, code):
    async with control(tmp_path) as (ask, _accounts, _):
        await ask("create_user", user="ann")
        before = await ask("users")
        assert (await ask(verb, **given))["error"]["code"] == code
        assert await ask("users") == before


async def test_an_admin_without_a_name(tmp_path):
    async with control(tmp_path) as (ask, _accounts, _):
        made = (await ask("create", role="admin", credit=15000))["result"]["key"]
        assert (made["user"], made["role"], made["balance"]) == ("admin", "admin", 15000)
        nameless = (await ask("create"))["result"]["key"]
        assert nameless["user"].startswith("usr_")
        refused = await ask("create", user=nameless["user"], role="admin")
        assert refused["error"]["code"] == "not_an_admin"


@pytest.mark.parametrize(
    "given",
    [
        {"verb": "create", "user": 5},
        {"verb": "create", "role": "root"},
        {"verb": "create", "credit": "-5"},
        {"verb": "create", "credit": "1e5"},
        {"verb": "create", "credit": 0.0000001},
        {"verb": "create", "credit": True},
        {"verb": "create", "credit": 10**13},
        {"verb": "create", "credit": {}},
        {"verb": "create", "expires": "soon"},
        {"verb": "create", "expires": -1},
        {"verb": "create", "models": "m"},
        {"verb": "create", "models": ["m", 5]},
        {"verb": "create", "models": ["m"] * 201},
        {"verb": "create", "budgets": {"year": 5}},
        {"verb": "create", "budgets": {"day": 0}},
        {"verb": "create", "budgets": 5},
        {"verb": "create", "label": "x" * 301},
        {"verb": "create", "tier": "x" * 301},
        {"verb": "create", "nonsense": 1},
        {"verb": "credit", "user": "x"},
        {"verb": "credit", "user": "x", "energy": 5, "subtract": 1},
        {"verb": "rotate"},
        {"verb": "rotate", "key": ""},
        {"verb": "none"},
        {"verb": ["create"]},
        {},
    ],
    ids=str,
)
async def test_a_wrong_question_changes_nothing(tmp_path, given):
    async with control(tmp_path) as (_, accounts, __):
        answer = json.loads(await Control(accounts).handle(json.dumps(given).encode()))
        assert answer["ok"] is False
        assert answer["error"]["status"] in {400, 404}
        assert accounts.store.all_keys() == []


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["verb", "user", "key", "energy", "models", "budgets", "expires", "name"]
                ),
                inner | st.sampled_from(["create", "list", "show", "set", "credit", "john"]),
                max_size=5,
            )
        ),
        max_leaves=9,
    ).map(lambda value: json.dumps(value).encode())
)
def test_garbage_is_answered(tmp_path_factory, line):
    async def work():
        async with accounts_at(tmp_path_factory.mktemp("x")) as (accounts, _):
            return await Control(accounts).handle(line)

    answer = asyncio.run(work())
    assert answer.endswith(b"\n")
    told = json.loads(answer)
    assert told["ok"] or told["error"]["status"] < 500


@asynccontextmanager
async def door(folder):
    async with accounts_at(folder) as (accounts, _):
        made = ControlDoor(Control(accounts), folder, SHORT)
        await made.open()
        try:
            yield made
        finally:
            await made.close()


SHORT = 65_536
"""Bytes of a line: twice as much still fits into a socket, so nobody is cut off while it writes."""


def question(folder, *lines):
    """In another thread, as another process would."""

    def work():
        with connect(folder, 5) as wire, wire.makefile("rb") as answers:
            found = []
            for line in lines:
                wire.sendall(line)
                found.append(answers.readline())
            return found

    return asyncio.to_thread(work)


@pytest.mark.parametrize("depth", [0, 8], ids=["short path", "long path"])
async def test_the_door_is_its_owners(tmp_path, depth):
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    async with door(folder):
        mode = (folder / NAME).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        answers = await question(
            folder, b'{"verb":"create","user":"ann"}\n', b'{"verb":"list"}\n', b"?\n"
        )
        assert [json.loads(answer)["ok"] for answer in answers] == [True, True, False]
    assert not (folder / NAME).exists()
    assert connect(folder, 1) is None


async def test_a_leftover_of_a_dead_one_is_replaced(tmp_path):
    (tmp_path / NAME).write_text("")
    async with door(tmp_path):
        (answer,) = await question(tmp_path, b'{"verb":"list"}\n')
        assert json.loads(answer)["result"] == {"keys": []}


async def test_a_line_that_is_too_long_ends_the_connection(tmp_path):
    async with door(tmp_path):
        (answer,) = await question(tmp_path, b" " * (2 * SHORT) + b"\n")
        assert json.loads(answer)["ok"] is False


async def test_half_a_question_changes_nothing(tmp_path):
    async with door(tmp_path):
        await asyncio.to_thread(lambda: connect(tmp_path, 5).close())
        reader, writer = await asyncio.open_unix_connection(tmp_path / NAME)
        writer.write(b'{"verb":"create","user":"ann"}')
        writer.close()
        (answer,) = await question(tmp_path, b'{"verb":"list"}\n')
        assert json.loads(answer)["result"]["keys"] == []
        del reader


async def test_a_folder_that_takes_no_socket_is_no_reason_not_to_start(tmp_path, caplog):
    if os.geteuid() == 0:
        (tmp_path / NAME).mkdir()  # root may write anywhere, but can't unlink a folder
    async with accounts_at(tmp_path) as (accounts, _):
        made = ControlDoor(Control(accounts), tmp_path)
        await made.open()
        await made.close()
    assert "works only while stopped" in caplog.text or os.geteuid() != 0
