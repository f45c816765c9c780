"""What gateways and their building blocks were broken by, tried on our own pages through a socket.

Covered elsewhere (the second test sees that each of these is there):

| fault | shown by |
|---|---|
| CVE-2024-6587: a body's field says where a call goes | tests/proxy/test_leaks.py::test_nothing_in_a_request_names_the_destination |
| CVE-2026-42271, GHSA-qqcv-vg9f-5rr3: a page without a look at who asks | tests/web/test_roles.py::test_the_matrix |
| the same, what is another's | tests/web/test_roles.py::test_nobody_reads_or_changes_what_is_anothers |
| the same, by the id of a response | tests/proxy/test_lookups.py::test_what_another_caller_made_is_not_there |
| CVE-2026-35030: a cache by a part of a key | tests/service/accounts/test_auth.py::test_keys_that_share_a_long_prefix_are_different |
| the same for tokens | tests/service/accounts/test_sessions.py::test_common_beginnings_have_nothing_in_common |
| the same for answers | tests/service/caching/test_cache.py::test_principals_with_a_long_common_start_are_two |
| the same for repeated requests | tests/web/test_repeats.py::test_whose_key_it_is |
| CVE-2026-12798: a URL that is fetched | tests/upstream/test_images.py::test_addresses_that_are_not_public_are_refused_in_every_spelling |
| the same, rebinding | tests/upstream/test_guard.py::test_rebinding_name_is_checked_each_time |
| CVE-2024-8984: an endless boundary | tests/wire/test_multipart.py::test_bad_forms_are_refused |
| CVE-2026-41432: an empty or sample secret, of tokens | tests/web/gateway/test_logins.py::test_what_can_be_guessed_refuses_to_start |
| the same, of operators | tests/proxy/test_keys.py::test_a_weak_secret_does_not_start |
| the same, of seals | tests/service/accounts/test_sealing.py::test_keys_that_can_be_guessed |
| CVE-2026-30886: a call with somebody else's key of a provider | tests/web/gateway/test_provider_keys.py::test_failover_never_lends_a_key |
| sealed rows swapped | tests/web/gateway/test_provider_keys.py::test_a_row_in_anothers_name_does_not_open |
| CVE-2018-14505: DNS rebinding, of calls | tests/proxy/test_attacks.py::test_a_name_that_was_made_to_point_here_is_not_served |
| CVE-2025-23217: the pages' own port through the proxy | tests/web/test_face.py::test_nobody_else_reaches_the_port_through_the_proxy |
| CVE-2025-57804: line breaks in HTTP/2 headers | tests/proxy/test_gate.py::test_h2_header_tricks_reach_nobody |
| CVE-2016-6581: HPACK bomb | tests/proxy/test_attacks.py::test_an_hpack_bomb_is_refused |
| CVE-2023-44487: rapid reset | tests/proxy/test_attacks.py::test_rapid_reset_holds_nobody |
| CVE-2025-43859, CVE-2025-69229: chunks | tests/upstream/test_pool.py::test_bad_chunks_break_at_once |
| CVE-2021-32677: JSON in a form's content type | tests/web/admin/test_keys.py::test_only_json_is_taken |
| the same, logins | tests/web/gateway/test_logins.py::test_forms_of_web_pages_are_refused |
| CVE-2020-14343: code in YAML | tests/rules/test_tree.py::test_what_is_not_allowed_is_told_with_its_place |
| CVE-2018-1000518: WebSocket bombs | tests/web/test_face.py::test_a_message_has_a_bound |
| CVE-2020-7694: log lines, of calls | tests/proxy/test_attacks_files.py::test_no_text_of_a_client_writes_a_line_of_its_own |
| keys and prompts in logs, of calls | tests/proxy/test_leaks.py::test_prompts_and_keys_are_in_no_log_and_no_file |
| the master token in logs | tests/web/assistant/test_roles.py::test_the_master_token_is_in_no_log |
| other algorithms of tokens | tests/service/accounts/test_tokens.py::test_none_and_other_algorithms_are_no_signatures |
| the time and words of a wrong login | tests/web/gateway/test_logins.py::test_unknown_address_and_wrong_password_look_the_same |
| the same, its hash | tests/service/accounts/test_passwords.py::test_nobody_costs_the_same_hash |
| guessing of keys | tests/proxy/test_guesses.py::test_an_address_that_guesses_is_not_answered_any_more |
| versions with known faults | tests/test_dependencies.py::test_installed_versions_are_above_known_vulnerabilities |
| 2026-03-24: a stealer in a .pth file | tests/test_dependencies.py::test_no_dependency_runs_code_at_every_start_of_python |
"""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import time
from pathlib import Path

import pytest

import wattline
from kit.role_matrix import ADMIN, JWT_SECRET, MASTER, PASSWORD, Asker, party
from kit.sidecars import running
from wattline.base.logs import SafeFormatter
from wattline.web.gateway.pace import Pace
from wattline.wire.call import Role

ROOT = Path(__file__).parents[2]
PACKAGE = Path(wattline.__file__).parent
NAUGHTY = [
    "'", '"', "' OR 1=1 --", "'; DROP TABLE users; --", "x' UNION SELECT hash FROM keys --", "%", "%%%", "_",
    "*", "\\", "${7*7}", "{{7*7}}", "{0.__class__}", "%s%n", "$(id)", "`id`", "<script>alert(1)</script>",
    "../../../etc/passwd", "..%2f..%2f", "%00", "田中さん", "null", "NaN", "-1", "1e999",
]  # fmt: skip
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
WRITING = [
    ("POST", "/v1/generate_key"), ("POST", "/api/admin/api-keys"), ("PATCH", "/api/admin/api-keys/{key}"),
    ("POST", "/api/admin/api-keys/{key}/disable"), ("POST", "/api/admin/api-keys/{key}/enable"),
    ("POST", "/api/admin/api-keys/{key}/rotate"), ("POST", "/api/admin/users"),
    ("PATCH", "/api/admin/users/bob"), ("POST", "/api/admin/users/generate-key"),
    ("POST", "/api/admin/users/bob/credit"), ("POST", "/api/admin/users/bob/subtract"),
    ("POST", "/api/admin/users/bob/disable"), ("POST", "/api/admin/users/bob/enable"),
    ("POST", "/api/admin/providers/p0/disable"), ("POST", "/api/admin/providers/p0/enable"),
    ("POST", "/api/admin/keys"), ("POST", "/api/v1/keys"), ("POST", "/api/v1/keys/validate"),
    ("POST", "/api/v1/auth/register"), ("POST", "/api/v1/auth/login"), ("POST", "/api/v1/auth/password"),
    ("PUT", "/token?userId=bob"), ("POST", "/completions"), ("PUT", "/system-message"),
    ("POST", "/system-message"), ("POST", "/referral"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Nobody is slowed down: these tests ask faster than anybody logs in."""
    monkeypatch.setattr(Pace, "take", lambda *_: None)


def test_what_is_said_to_be_covered_is():
    named = re.findall(r"\| (tests/\S+\.py)::(test_\w+) \|", __doc__ or "")
    assert len(named) > 30
    missing = [f"{p}::{t}" for p, t in named if f"def {t}(" not in (ROOT / p).read_text()]
    assert not missing


def test_nothing_is_run_and_no_text_becomes_code():
    """CVE-2026-42271, CVE-2026-42203, CVE-2017-18342: what serves starts no program, and makes no text a template,
    an object or code. The command line runs the program that it is given.
    """
    forbidden = {"subprocess", "pickle", "marshal", "shelve", "jinja2", "ctypes", "code", "pty"}
    called = {
        "eval",
        "exec",
        "compile",
        "__import__",
        "system",
        "popen",
        "format_map",
        "unsafe_load",
    }
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [a.name for a in node.names]
                )
                found += [(path.name, name) for name in names if name.split(".")[0] in forbidden]
            if isinstance(node, ast.Call):
                function = node.func
                name = getattr(function, "id", None) or getattr(function, "attr", "")
                of = getattr(getattr(function, "value", None), "id", "")
                if (
                    name in called
                    and of != "re"
                    and (name not in {"system", "popen"} or of == "os")
                ):
                    found.append((path.name, name))
    assert not found


def test_sql_is_made_of_constants():
    """CVE-2026-42208, CVE-2026-25591: what is put into a statement's text is a constant of its module, a column's
    name or question marks; and no LIKE has a parameter.
    """
    for path in (PACKAGE / "store").glob("*.py"):
        source = path.read_text()
        assert not re.search(r"LIKE\s*(\?|\{|'?\s*\|\|)", source), path
        for call in re.findall(r"\.execute\w*\(\s*f?[\"']([^\"']*)", source):
            assert "%s" not in call, (path, call)


async def test_odd_texts_are_texts(tmp_path):
    """CVE-2026-42208, CVE-2026-42203, CVE-2026-25591: as keys, ids, filters, names and words of a search: not found,
    refused or kept letter by letter; nothing is computed, and no pattern matches all.
    """
    async with party(tmp_path, "jwt") as everybody:
        asker, before = Asker(everybody), everybody.kept()
        for text in NAUGHTY:
            quoted = "".join(f"%{byte:02x}" for byte in text.encode())
            everybody.secrets["odd"] = text.encode().decode("latin-1")
            if text.isascii():
                answer = await asker.ask("GET", "/v1/keys/me", None, "odd")
                assert answer.status == 401
            for path, places in (
                (f"/api/admin/api-keys?userId={quoted}", "entries"),
                (f"/api/admin/api-keys?tier={quoted}", "entries"),
                (f"/api/v1/audit?user={quoted}", "data"),
                (f"/api/v1/models/search?q=nothing{quoted}", None),
            ):
                answer = await asker.ask("GET", path, None, "admin")
                assert answer.status in {200, 400}, (path, answer.body)
                if answer.status == 200 and places:
                    assert answer.json()[places] == [], path
                assert b"49" not in answer.body or "timestamp" in answer.json(), path
            for path in ("/api/admin/users", "/api/admin/api-keys", "/api/admin/providers"):
                answer = await asker.ask("GET", f"{path}/{quoted}", None, "admin")
                assert answer.status in {400, 404, 405}, (path, quoted)
        assert everybody.kept() == before
        for number, text in enumerate(NAUGHTY):
            answer = await asker.ask(
                "POST", "/api/admin/users", {"id": f"odd{number}", "name": text}, "admin"
            )
            assert (answer.status, answer.json()["user"]["name"]) == (201, text)


async def test_only_our_algorithm_and_our_key_sign_tokens(tmp_path):
    """alg=none, another hash, another key, a header that names a key: through a socket."""
    async with party(tmp_path, "jwt") as everybody:
        asker, good = Asker(everybody), everybody.secrets["token"]
        head, claims, signature = good.split(".")
        claimed = json.loads(base64.urlsafe_b64decode(claims + "=="))
        bob = _b64({**claimed, "sub": "bob"})
        forged = [
            f"{_b64({'alg': alg, 'typ': 'JWT'})}.{claims}.{end}"
            for alg in ("none", "None", "NONE", "", "HS384", "RS256", "ES256", None, ["HS256"])
            for end in ("", signature)
        ]
        forged += [
            f"{head}.{bob}.{signature}", f"{head}.{bob}.", f"{head}.{claims}", good[:-2], f"{good}x", good.lower(),
            _signed({"alg": "HS512"}, claimed, JWT_SECRET, "sha512"),
            _signed({"alg": "HS256"}, claimed, "", "sha256"),
            _signed({"alg": "HS256"}, claimed, "secret", "sha256"),
            _signed({"alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}, claimed, "secret", "sha256"),
            _signed({"alg": "HS256", "kid": "/dev/null"}, claimed, "", "sha256"),
            _signed({"alg": "HS256", "crit": ["exp"]}, claimed, JWT_SECRET, "sha256"),
            _signed({"alg": "HS256"}, {**claimed, "exp": 10**12, "aud": "other"}, JWT_SECRET, "sha256"),
            _signed({"alg": "HS256"}, {**claimed, "exp": None}, JWT_SECRET, "sha256"),
            _signed({"alg": "HS256"}, {**claimed, "sub": ["ann"]}, JWT_SECRET, "sha256"),
            _signed({"alg": "HS256"}, {**claimed, "ses": True}, JWT_SECRET, "sha256"),
        ]  # fmt: skip
        for token in forged:
            everybody.secrets["forged"] = token
            answer = await asker.ask("GET", "/v1/keys/me", None, "forged")
            assert answer.status == 401, token
        # Rights are no part of a token, whoever signed it.
        more = {**claimed, "role": "admin", "tier": "gold", "admin": True}
        everybody.secrets["forged"] = _signed({"alg": "HS256"}, more, JWT_SECRET, "sha256")
        assert (await asker.ask("GET", "/v1/keys/me", None, "forged")).json()["role"] == "user"
        assert (await asker.ask("GET", "/api/admin/users", None, "forged")).status == 403
        assert (await asker.ask("GET", "/v1/keys/me", None, "token")).status == 200


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(head: object, claims: object, secret: str, name: str) -> str:
    text = f"{_b64(head)}.{_b64(claims)}"
    made = hmac.new(secret.encode(), text.encode(), getattr(hashlib, name)).digest()
    return f"{text}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


async def test_a_web_page_of_another_site_changes_nothing(tmp_path):
    """T6, CSRF: with an admin's key, on every page that changes something."""
    async with party(tmp_path, "jwt") as everybody:
        asker, before = Asker(everybody), everybody.kept()
        for method, path in [
            *WRITING,
            ("DELETE", "/dialog?userId=bob"),
            ("POST", "/token?userId=bob"),
        ]:
            for marks in (
                {"origin": "https://evil.test"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
                {"origin": "http://localhost.evil.test"}, {"origin": "http://127.0.0.1.evil.test"},
            ):  # fmt: skip
                headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
                target = path.replace("{key}", everybody.ids["bob"]["key"])
                answer = await asker.send(method, target, b"{}", headers | marks)
                assert answer.status == 403, (method, path, marks)
                assert answer.header("access-control-allow-origin") is None
        assert everybody.kept() == before


@pytest.mark.parametrize("mode", ["open", "keys"])
async def test_the_hosts_name_opens_nothing(tmp_path, mode):
    """CVE-2018-14505, CVE-2026-48710: a name made to point here is refused in open mode, with an admin's key too;
    and what stands in Host is never a part of the path, so it leads to no other page.
    """
    async with party(tmp_path, mode) as everybody:
        asker = Asker(everybody)
        for host in (
            "evil.test", "x/api/admin/users?", "x/health?", "127.0.0.1@evil.test", "evil.test:80#@127.0.0.1",
            "127.0.0.1/api/openapi.json", "", "[::1", "a b",
        ):  # fmt: skip
            for key in (everybody.secrets["user"], ADMIN):
                headers = {"host": host, "authorization": f"Bearer {key}"}
                try:
                    answer = await asker.send("GET", "/api/admin/users", None, headers)
                except ConnectionError:
                    continue  # no HTTP: nobody was asked
                refused = {400, 421} if mode == "open" or host != "evil.test" else {200, 403}
                assert answer.status in refused | {403, 400, 421}, (host, key == ADMIN)
                if key != ADMIN:
                    assert b"bob" not in answer.body


async def test_one_form_of_ids_in_paths(tmp_path):
    """T12, T22: encoded slashes and dots, doubled slashes, other cases: another page or nobody's, never the same."""
    async with party(tmp_path, "jwt") as everybody:
        asker, before, key = Asker(everybody), everybody.kept(), everybody.ids["bob"]["key"]
        for odd in (
            key.upper(), f"%6b{key[1:]}", f"{key}%2f", f"{key}/", f"{key}%00", f"{key}.", f"./{key}", f"../api-keys/{key}",
            f"%2e%2e/api-keys/{key}", f"%2e%2e%2fapi-keys%2f{key}", f"x/../{key}", f"/{key}", f"{key};x=1", f"{key}%20",
            f"{key}%0a", f"{key}\\", f"{key}#", "..", ".", "%2e", "%2e%2e",
        ):  # fmt: skip
            for method, rest in (("DELETE", ""), ("POST", "/disable"), ("GET", "")):
                target = f"/api/admin/api-keys/{odd}{rest}"
                answer = await asker.ask(method, target, b"" if method == "POST" else None, "admin")
                assert answer.status in {400, 404, 405}, (method, target, answer.body)
            own = everybody.ids["ann"]["own"]
            target = f"/api/v1/keys/{odd.replace(key, own).replace('api-keys', 'keys')}"
            answer = await asker.ask("DELETE", target, None, "user")
            assert answer.status in {400, 404, 405}, target
        assert everybody.kept() == before


BAD_BODIES = (
    b"", b"null", b"[]", b'"x"', b"1", b"{", b"}{", b'{"a":1}{', b'{"userId":"bob","userId":"ann"}',
    b'{"email":"a@x.test","email":"b@x.test"}', b'{"energy":1,"energy":2}', b'{"user\\u0049d":"bob","userId":"ann"}',
    b'{"energy":NaN}', b'{"energy":Infinity}', b'{"energy":1e999}', b'{"energy":' + b"9" * 5000 + b"}",
    b'{"amount":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'\xef\xbb\xbf{"userId":"bob"}', '{"userId":"bob"}'.encode("utf-16"), b'{"userId":"\xff"}',
    b'{"userId":"\\ud800"}', b'{"userId":"bob\\u0000"}', b'{"__proto__":{"role":"admin"}}', b"{'userId':'bob'}",
    b'{"userId":"bob",}', b"userId=bob&energy=1", b"<userId>bob</userId>",
)  # fmt: skip


async def test_bodies_that_could_be_read_in_two_ways(tmp_path):
    """0.13, T20: on every page that changes something, as an admin: refused or without a meaning, nothing is
    changed, and no bug is told.
    """
    async with party(tmp_path, "jwt") as everybody:
        asker, before = Asker(everybody), everybody.kept()
        for method, path in WRITING:
            target = path.replace("{key}", everybody.ids["bob"]["key"])
            alone = path.endswith(("/disable", "/enable", "/rotate"))
            for body in BAD_BODIES:
                if alone and not body:
                    continue  # they need none
                answer = await asker.ask(method, target, body, "admin")
                assert answer.status in {400, 401, 403, 413}, (path, body[:50], answer.body)
        huge = b'{"userId":"' + b"x" * 5_000_000 + b'"}'
        for method, path in WRITING:
            target = path.replace("{key}", everybody.ids["bob"]["key"])
            answer = await asker.ask(method, target, huge, "admin")
            assert answer.status == 413, (path, answer.status)
        assert everybody.kept() == before


async def test_parameters_are_given_once(tmp_path):
    """Pollution: where one reader takes the first and another the last, neither is asked."""
    async with party(tmp_path, "jwt") as everybody:
        asker = Asker(everybody)
        for path in (
            "/token", "/dialog", "/referral", "/system-message", "/token/has", "/api/v1/audit", "/v1/models",
            "/api/admin/users", "/api/admin/api-keys", "/api/admin/metrics/models", "/v1/keys/me", "/metrics",
            "/api/v1/models/search", "/api/v1/health", "/openapi.json",
        ):  # fmt: skip
            for query in (
                "userId=ann&userId=bob",
                "limit=1&limit=2",
                "userId=ann&user%49d=bob",
                "x&x",
            ):
                answer = await asker.ask("GET", f"{path}?{query}", None, "admin")
                assert answer.status == 400, (path, query)
        two = f"/api/admin/users?masterToken={MASTER}&masterToken=wrong"
        assert (await asker.ask("GET", two, None, "nobody")).status in {400, 401}
        headers = {"authorization": f"Bearer {everybody.secrets['user']}", "x-api-key": ADMIN}
        assert (await asker.send("GET", "/api/admin/users", None, headers)).status == 400
        keyed = f"/api/admin/users?key={ADMIN}"
        assert (await asker.ask("GET", keyed, None, "user")).status == 400


async def test_members_that_nobody_asked_for_give_nothing(tmp_path):
    """Mass assignment: a role, a balance, an owner that come along are refused or without effect."""
    more = {
        "role": "admin", "admin": True, "is_admin": True, "balance": 10**9, "energy": 10**9, "start": 10**9,
        "id": "chosen", "user": "bob", "userId": "bob", "session": 9, "disabled": None, "created": 0, "owner": "bob",
        "sealed": "", "mask": "x", "hash": "0" * 64, "origin": "https://evil.test", "url": "https://evil.test",
    }  # fmt: skip
    async with party(
        tmp_path, "jwt", "accounts: {register: open, start_balance: 5}\n"
    ) as everybody:
        asker, accounts = Asker(everybody), everybody.running.sidecar.parts.callers.accounts
        new = {"email": "eve2@example.com", "password": PASSWORD, "name": "Eve"}
        answer = await asker.ask("POST", "/api/v1/auth/register", {**new, **more}, "nobody")
        assert answer.status == 201
        made = accounts.user(answer.json()["user"]["id"])
        assert (made.role, made.session, made.start, made.tier) == (Role.USER, 0, 5_000_000, None)
        assert made.id not in {"chosen", "bob"}
        answer = await asker.ask("POST", "/api/v1/auth/register", {**new, "tier": "gold"}, "nobody")
        assert answer.status == 400
        asked = {"provider": "p0", "apiKey": "sk-another-own-key-0123456789", **more}
        answer = await asker.ask("POST", "/api/v1/keys", asked, "user")
        assert answer.status == 201
        own = everybody.running.sidecar.parts.callers.own_keys
        assert answer.json()["id"] in {key.id for key in own.of("ann")}
        assert all(key.host == "127.0.0.1" for key in own.of("ann"))
        assert len(own.of("bob")) == 1
        kept = everybody.kept()
        for path in ("/api/admin/users", "/v1/generate_key", "/api/admin/api-keys"):
            answer = await asker.ask("POST", path, {"userId": "x1", "hash": "0" * 64}, "admin")
            assert answer.status == 400, path
        for path, name in (
            ("users/bob", "id"),
            ("users/bob", "balance"),
            ("api-keys/{key}", "user"),
        ):
            target = f"/api/admin/{path}".replace("{key}", everybody.ids["bob"]["key"])
            assert (await asker.ask("PATCH", target, {name: "ann"}, "admin")).status == 400
        assert everybody.kept() == kept
        before = accounts.balance("bob")
        call = {**CHAT, "user": "bob", "metadata": {"userId": "bob"}}
        assert (await asker.ask("POST", "/v1/chat/completions", call, "user")).status == 200
        assert accounts.balance("bob") == before


async def test_names_write_no_headers_and_no_lines(tmp_path):
    """CVE-2020-7694, T16: line breaks and colours in ids, names, labels, reasons, addresses and headers: one line a
    record, and no header that we did not write.
    """
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(SafeFormatter(list).format(record))

    handler, root, ours = Kept(), logging.getLogger(), logging.getLogger("wattline")
    root.addHandler(handler)
    level = ours.level
    ours.setLevel("DEBUG")
    try:
        async with party(tmp_path, "jwt") as everybody:
            asker = Asker(everybody)
            for odd in (
                "a\r\nset-cookie: x=1",
                "a\nERROR forged",
                "\x1b[31mred",
                "a\u2028b",
                "\x00",
                "a\x85b",
            ):
                for method, path, body in (
                    ("POST", "/api/admin/users", {"id": odd}),
                    ("POST", "/api/admin/users", {"name": odd}),
                    ("POST", "/api/admin/users", {"email": f"{odd}@example.com"}),
                    ("POST", "/v1/generate_key", {"userId": "ann", "label": odd}),
                    ("POST", "/v1/generate_key", {"userId": odd, "tier": odd}),
                    ("POST", "/api/admin/users/ann/credit", {"energy": 1, "reason": odd}),
                    ("POST", "/api/admin/providers/p0/enable", {"model": odd}),
                    ("POST", "/api/v1/keys", {"provider": odd, "apiKey": odd, "name": odd}),
                    ("POST", "/api/v1/auth/login", {"email": odd, "password": odd}),
                    ("POST", "/api/admin/keys", {"provider": odd, "key": odd}),
                    ("POST", "/referral", {"referrerId": odd, "referredId": "bob"}),
                    ("PUT", "/system-message", {"userId": "ann", "message": odd}),
                    ("POST", "/v1/chat/completions", {**CHAT, "model": odd, "user": odd}),
                ):  # fmt: skip
                    answer = await asker.ask(method, path, body, "admin")
                    assert answer.status < 500, (path, odd, answer.body)
                    if "email" in body:
                        assert answer.status == (401 if path.endswith("login") else 400)
                    told = {name for name, _ in answer.headers}
                    assert "set-cookie" not in told
                    assert all(value.isprintable() for _, value in answer.headers)
            for name in ("idempotency-key", "x-request-id", "user-agent", "x-forwarded-for"):
                headers = {"authorization": f"Bearer {ADMIN}", name: "\x1b[31m%s{0}"}
                answer = await asker.send("GET", "/api/admin/users", None, headers)
                assert answer.status in {200, 400}
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
    assert len(lines) > 50
    assert all(line.isprintable() for line in lines)


async def test_keys_in_the_query_are_in_no_log(tmp_path, caplog):
    """T15: right and wrong ones, on pages and calls, in every log and file of the run."""
    caplog.set_level("DEBUG", logger="wattline")
    wrong = "wr0ng5163a9d2f04c8e6b3d5a7c9f1e2"
    async with party(tmp_path, "jwt") as everybody:
        asker = Asker(everybody)
        secrets = [everybody.secrets["user"], wrong, MASTER, everybody.secrets["token"]]
        for secret in secrets:
            for path in (
                f"/v1/models?key={secret}", f"/v1/keys/me?key={secret}", f"/api/admin/users?masterToken={secret}",
                f"/nothing?key={secret}", f"/token?masterToken={secret}&userId=ann", f"/api/v1/audit?key={secret}",
            ):  # fmt: skip
                answer = await asker.ask("GET", path, None, "nobody")
                told = secret == MASTER and path.startswith("/token")
                assert told or secret.encode() not in answer.body, path
            body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
            await asker.ask(
                "POST", f"/v1beta/models/m:generateContent?key={secret}", body, "nobody"
            )
            await asker.ask("POST", f"/v1beta/models/m:nothing?key={secret}", body, "nobody")
    # pytest's own handler hears what uvicorn would log; it is switched off there.
    text = "\n".join(r.getMessage() for r in caplog.records if r.name != "uvicorn.access")
    files = [p for p in (tmp_path / "state").rglob("*") if p.is_file() and p.suffix != ".secret"]
    for secret in secrets:
        assert secret not in text
        for path in files:
            assert secret.encode() not in path.read_bytes(), path
        for upstream in everybody.running.upstreams:
            assert all(secret not in str(entry) for entry in upstream.journal.requests)


async def test_no_answer_tells_what_there_is(tmp_path):
    """Enumeration: a key that never was, one that ended, one that is switched off and one of a user who is: the same
    words; and what is another's is told of as what is not there.
    """
    async with party(tmp_path, "jwt") as everybody:
        asker, ids = Asker(everybody), everybody.ids
        told = set()
        for who in (
            "wrong", "expired", "disabled", "key of a disabled user", "token of a disabled user",
        ):  # fmt: skip
            for path in ("/v1/keys/me", "/v1/models", "/api/v1/keys"):
                told.add(
                    (path, (await asker.ask("GET", path, None, who)).json()["error"]["message"])
                )
            call = await asker.ask("POST", "/v1/chat/completions", CHAT, who)
            told.add(("call", call.json()["error"]["message"]))
        assert len(told) == 4, told
        for there, nothing in (
            (f"/api/v1/keys/{ids['bob']['own']}", "/api/v1/keys/pkey_0123456789abcdef"),
            (f"/v1/responses/{ids['bob']['own']}", "/v1/responses/pkey_0123456789abcdef"),
        ):
            answers = [await asker.ask("DELETE", path, None, "user") for path in (there, nothing)]
            one, other = (
                _anonymous(a.body, p) for a, p in zip(answers, (there, nothing), strict=True)
            )
            assert one == other
        for user in ("bob", "nobody-at-all"):
            for path in (
                f"/api/v1/audit?user={user}",
                f"/api/admin/users/{user}",
                f"/token?userId={user}",
            ):
                answer = await asker.ask("GET", path, None, "user")
                assert answer.status == 403
                assert user.encode() not in answer.body
            reset = {"email": f"{user}@example.com", "newPassword": PASSWORD}
            assert (await asker.ask("POST", "/api/v1/auth/password", reset, "user")).status == 403


def _anonymous(body: bytes, path: str) -> str:
    text = re.sub(r"req_[0-9a-f]+", "", body.decode())
    return text.replace(path.rpartition("/")[2], "ID")


async def test_offers_that_change_places_do_not_open(tmp_path):
    """Sealed rows: whoever can write the file can't have one provider's key shown as another's."""
    async with party(tmp_path, "jwt") as everybody:
        asker, made = Asker(everybody), []
        for number in range(2):
            body = {"provider": "openai", "key": f"sk-offered-key-number-{number}"}
            made.append((await asker.ask("POST", "/api/admin/keys", body, "admin")).json()["id"])
        writer = everybody.running.sidecar.ledger._writer
        connection = writer._conn
        sealed = dict(connection.execute("SELECT id, sealed FROM offered_keys").fetchall())
        swapped = [(sealed[made[1]], made[0]), (sealed[made[0]], made[1])]
        sql = "UPDATE offered_keys SET sealed = ? WHERE id = ?"
        await writer._hop(lambda: connection.executemany(sql, swapped))
        for offer in made:
            answer = await asker.ask(
                "POST", f"/api/admin/keys/offered/{offer}/accept", b"", "admin"
            )
            assert answer.status == 500
            assert b"sk-offered" not in answer.body


async def test_hostile_headers_cost_little(tmp_path):
    """CVE-2024-24762, CVE-2025-62727, CVE-2024-8984: content types, ranges and boundaries that some parsers take
    quadratic time for.
    """
    async with party(tmp_path, "jwt") as everybody:
        asker, key = Asker(everybody), {"authorization": f"Bearer {ADMIN}"}
        ranges = "bytes=" + ",".join(f"{n}-" for n in range(2_000))
        hostile = [
            ("GET", "/openapi.json", {"range": ranges}), ("GET", "/v1/models", {"range": ranges}),
            ("POST", "/api/admin/users", {"content-type": "application/json;" + "a=" * 5_000}),
            ("POST", "/api/admin/users", {"content-type": "multipart/form-data; boundary=" + "-" * 10_000}),
            ("POST", "/v1/audio/transcriptions", {"content-type": "multipart/form-data; boundary=" + " " * 10_000}),
            ("GET", "/v1/models", {"accept": ",".join(f"a/{n};q=0.1" for n in range(1_000))}),
            ("GET", "/v1/models", {"cookie": "=;" * 5_000}),
        ]  # fmt: skip
        for method, path, headers in hostile:
            await asker.send(
                method, path, b"{" if method == "POST" else None, key
            )  # the page is loaded
            begun = time.thread_time()
            answer = await asker.send(
                method, path, b"{" if method == "POST" else None, key | headers
            )
            assert time.thread_time() - begun < 5, (path, headers)
            assert answer.status in {200, 400, 413, 415, 431}, (path, answer.status)


async def test_pages_are_no_documents(tmp_path):
    """Stored HTML (one-api): what somebody wrote comes back as JSON that no browser takes for a page."""
    async with party(tmp_path, "jwt") as everybody:
        asker, html = Asker(everybody), "<img src=x onerror=alert(1)>"
        await asker.ask("POST", "/api/admin/users", {"id": "h", "name": html}, "admin")
        for path in (
            "/api/admin/users",
            "/api/admin/users/h",
            f"/{html.replace(' ', '%20')}",
            "/v1/models/<b>",
        ):
            answer = await asker.ask("GET", path, None, "admin")
            assert (answer.header("content-type") or "").startswith("application/json"), path
            assert answer.header("x-content-type-options") == "nosniff", path


async def test_a_login_that_fails_takes_the_time_of_one_that_does_not(tmp_path, monkeypatch):
    """One Argon2 for an address that nobody has, for a disabled user and for a wrong password."""
    async with party(tmp_path, "jwt") as everybody:
        passwords = everybody.running.sidecar.web  # made with the first page
        assert passwords is not None
        counted: list[str] = []
        from wattline.service.accounts.passwords import Passwords  # noqa: PLC0415  (its class is watched)

        verify = Passwords.verify

        async def watched(self: Passwords, kept: str | None, password: str) -> bool:
            counted.append("verified")
            return await verify(self, kept, password)

        monkeypatch.setattr(Passwords, "verify", watched)
        asker, told = Asker(everybody), set()
        for email in ("nobody@example.com", "ann@example.com", "eve@example.com"):
            body = {"email": email, "password": "a wrong password"}
            answer = await asker.ask("POST", "/api/v1/auth/login", body, "nobody")
            told.add((answer.status, answer.json()["error"]["message"]))
        assert len(told) == 1
        assert counted == ["verified"] * 3


@pytest.mark.parametrize(
    "name", ["ADMIN_FIRST", "DEFAULT_ADMIN_API_KEY", "JWT_SECRET", "WATTLINE_SECRET_KEY"]
)
async def test_secrets_that_are_none_stop_the_start(tmp_path, name):
    """CVE-2026-41432: white space and samples; and the reason does not show them."""
    for number, secret in enumerate(("   ", "\t", "changeme", "secret", "0" * 32, "password" * 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(Exception, match=name) as caught:
            await running(folder, 1, env={name: secret}).__aenter__()
        if secret.strip():
            assert secret not in str(caught.value)


async def test_fifty_at_once_by_a_token(tmp_path):
    """T28, A-134: as with keys (tests/proxy/test_keys.py) and in dialogs (tests/web/assistant/test_completions.py):
    fifty calls of a user with a token, on a balance for three, admit three.
    """
    patient = "{connect: 5, first_byte: 30, idle: 30, total: 60}"
    async with party(tmp_path, "jwt", timeouts=patient) as everybody:
        sidecar, upstream = everybody.running.sidecar, everybody.running.upstreams[0]
        new = await sidecar.parts.callers.accounts.create_user("max", start=10**9)
        everybody.secrets["max"] = sidecar.parts.callers.tokens.issue(new)
        first = Asker(everybody)
        assert (await first.ask("POST", "/v1/chat/completions", CHAT, "max")).status == 200
        rows = everybody.kept()["attempts"]
        hold, cost = await _last(everybody)
        assert rows
        left = sidecar.parts.callers.accounts.balance("max")
        await sidecar.parts.callers.accounts.subtract("max", left - 3 * hold - hold // 2)
        upstream.always("stall_head")
        askers = [Asker(everybody) for _ in range(50)]
        calls = [
            asyncio.ensure_future(one.ask("POST", "/v1/chat/completions", CHAT, "max"))
            for one in askers
        ]
        async with asyncio.timeout(30):
            while sum(call.done() for call in calls) < 47:
                going = [call for call in calls if not call.done()]
                await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
        await upstream.journal.wait_for(lambda entry: entry.stalled, count=3)
        upstream.release()
        answers = await asyncio.gather(*calls)
        assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 47
        assert sidecar.parts.callers.accounts.balance("max") == 3 * hold + hold // 2 - 3 * cost


async def _last(everybody) -> tuple[int, int]:
    import sqlite3  # noqa: PLC0415  (a look at the file)

    path = everybody.running.state / "ledger.sqlite"
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        sql = "SELECT hold, energy FROM attempts ORDER BY seq DESC LIMIT 1"
        return connection.execute(sql).fetchone()
    finally:
        connection.close()
