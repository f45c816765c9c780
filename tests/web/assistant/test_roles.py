"""Who may ask for the assistant's pages: each page with each kind of credential, through a socket."""

from __future__ import annotations

import logging

import pytest

from kit.assistant import ADMIN, KEYED, MASTER, Assistant, assisting, told
from kit.sidecars import running

ASKED = {
    ("GET", "/token"): b"",
    ("GET", "/token/has"): b"",
    ("PUT", "/token"): {"operation": "add", "amount": 1},
    ("POST", "/token"): b"",
    ("GET", "/dialog"): b"",
    ("DELETE", "/dialog"): b"",
    ("POST", "/completions"): {"model": "m", "content": "hi", "userId": "ann"},
    ("PUT", "/system-message"): {"userId": "ann", "message": "Be brief."},
    ("POST", "/system-message"): {"userId": "ann", "message": "Be brief."},
    ("GET", "/system-message"): b"",
    ("DELETE", "/system-message"): b"",
    ("POST", "/referral"): {"referrerId": "ann", "referredId": "bob"},
    ("GET", "/referral"): b"",
}
QUERY = {"userId": "ann"}
WRONG = MASTER[:-1] + "1"


@pytest.mark.parametrize("mode", ["keys", "open"])
async def test_only_the_master_token_and_admins_are_let_in(tmp_path, mode):
    """A-027, A-030, A-130, A-152: every page, and nothing is changed for the others."""
    async with assisting(tmp_path) as assistant:
        rules = assistant.running.rules
        rules.write_text(rules.read_text().replace("mode: keys", f"mode: {mode}"))
        await assistant.running.sidecar.books.fresh()
        user = (await assistant.token("ann"))["id"]
        before = await assistant.token("ann")
        for (method, path), body in ASKED.items():
            refused = [
                ({"master": None}, 401),
                ({"master": WRONG}, 401),
                ({"master": ""}, 401),
                ({"master": None, "bearer": WRONG}, 401),
                ({"master": None, "bearer": user}, 403),
                ({"master": WRONG, "bearer": user}, 403),
                ({"master": user}, 401),
            ]
            for credential, status in refused:
                reply = await assistant.ask(method, path, body, **credential, **QUERY)
                assert told(reply)[0] == status, (method, path, credential)
                code = "invalid_api_key" if status == 401 else "not_an_admin"
                assert told(reply)[1] == code
                if status == 401:
                    assert reply.json()["error"] == "Invalid token"
        assert await assistant.token("ann") == before
        assert await assistant.messages("ann") == []
        for (method, path), body in ASKED.items():
            for credential in (
                {},
                {"master": None, "bearer": MASTER},
                {"master": None, "bearer": ADMIN},
                {"master": WRONG, "bearer": MASTER},
                {"master": MASTER, "bearer": user},
            ):
                reply = await assistant.ask(method, path, body, **credential, **QUERY)
                if path == "/token" and method == "POST" and "bearer" not in credential:
                    user = reply.json()["id"]
                allowed = {200, 404} if path == "/system-message" else {200, 409}
                assert reply.status in allowed, (method, path, credential, reply.body)


async def test_a_users_key_reads_no_dialog(assistant):
    """The dialog of one can't be read with the key of another, nor with its own."""
    await assistant.say("ann", "my secret plan")
    key = (await assistant.token("bob"))["id"]
    own = (await assistant.token("ann"))["id"]
    for bearer in (key, own):
        for user in ("ann", "bob"):
            reply = await assistant.get("/dialog", user, master=None, bearer=bearer)
            assert told(reply) == (403, "not_an_admin")
            assert b"plan" not in reply.body


async def test_without_a_master_token_admins_remain(tmp_path):
    """A-161: nothing takes its place, an empty one neither."""
    env = {"DEFAULT_ADMIN_API_KEY": ADMIN}
    async with running(tmp_path, 1, extra=KEYED, env=env) as found:
        assistant = Assistant(found)
        for said in (MASTER, "", None):
            assert told(await assistant.get("/token", "ann", master=said))[0] == 401
        assert (await assistant.get("/token", "ann", master=None, bearer=ADMIN)).status == 200


async def test_other_methods(assistant):
    """HEAD too: a GET of a token may make a user, and shows its key."""
    others = [("HEAD", "/token"), ("DELETE", "/token"), ("POST", "/token/has"), ("PUT", "/dialog"),
              ("GET", "/completions"), ("PATCH", "/system-message"), ("DELETE", "/referral")]  # fmt: skip
    for method, path in others:
        assert (await assistant.ask(method, path, userId="ann")).status == 405
    assert not assistant.running.sidecar.parts.callers.accounts.store.user("ann")


async def test_the_master_token_is_in_no_log(assistant, caplog):
    """Decision 5: in the query of each request, and in no line."""
    caplog.set_level("DEBUG")
    await assistant.say("ann")
    token = await assistant.token("ann")
    await assistant.ask("GET", "/nothing-here")
    # uvicorn's own log of requests is off; pytest listens to it all the same.
    lines = [r.getMessage() for r in caplog.records if r.name != "uvicorn.access"]
    assert not any(MASTER in line or token["id"] in line for line in lines)
    assert not logging.getLogger("uvicorn.access").propagate
