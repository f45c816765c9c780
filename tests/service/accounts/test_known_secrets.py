"""Every secret of a sidecar is known to its logs, whenever it comes to be."""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode

import pytest

from kit.sidecars import rules, running
from wattline.base.logs import JsonFormatter, SafeFormatter, redacted
from wattline.rules.load import load
from wattline.service.accounts.known_secrets import KnownSecrets, provider_keys
from wattline.service.line_log import LineLog
from wattline.store.json_lines import JsonLines

FIRST, SECOND = (b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
MASTER, ADMIN, JWT = (secrets.token_hex(24) for _ in range(3))
ENV = {
    "ADMIN_FIRST": MASTER,
    "DEFAULT_ADMIN_API_KEY": ADMIN,
    "JWT_SECRET": JWT,
    "WATTLINE_SECRET_KEY": f"{FIRST}, {SECOND}",
}
ALL = (MASTER, ADMIN, JWT, FIRST, SECOND)


def test_the_environment_s_are_known_before_anything_runs():
    known = KnownSecrets(ENV)
    shown = redacted(" ".join(ALL), known())
    assert not any(secret in shown for secret in ALL)
    assert not any(secret in repr(known) for secret in ALL)


def test_an_empty_environment_has_none():
    assert list(KnownSecrets({"ADMIN_FIRST": "", "WATTLINE_SECRET_KEY": " , "})()) in ([], [" , "])


def test_keys_of_the_rules_before_are_known_while_their_calls_end():
    def keyed(key):
        return load(rules(["http://127.0.0.1:1/v1"]), env={"KEY_0": key})

    books = [
        keyed("sk-the-first-key-00"),
        keyed("sk-the-second-key-0"),
        keyed("sk-the-third-key-00"),
    ]
    at = 0
    known = KnownSecrets({})
    known.follow(lambda: books[at])
    assert list(known()) == ["sk-the-first-key-00"]
    assert list(provider_keys(books[0])) == list(known())
    at = 1
    assert set(known()) == {"sk-the-first-key-00", "sk-the-second-key-0"}
    at = 2
    assert set(known()) == {"sk-the-second-key-0", "sk-the-third-key-00"}


def test_what_comes_later_is_asked_for_each_time():
    found: list[str] = []
    known = KnownSecrets({})
    known.add(lambda: found)
    assert list(known()) == []
    found.append("drawn-a-moment-ago")
    assert list(known()) == ["drawn-a-moment-ago"]


async def test_a_sidecar_knows_all_of_them(tmp_path):
    """The log's lines of both forms and the files of lines show none of them."""
    async with running(tmp_path, 1, env=ENV) as sidecar:
        inner = sidecar.sidecar
        everyone = (*ALL, "sk-secret-of-upstream-0000", inner.web.secret)
        record = logging.LogRecord("wattline.x", 30, "", 0, " | ".join(everyone), (), None)
        lines = [form(inner.secrets).format(record) for form in (SafeFormatter, JsonFormatter)]
        written = LineLog(JsonLines(tmp_path / "x.jsonl", 10_000), inner.secrets)
        written.add({"error": " | ".join(everyone)})
        await written.written()
        lines.append((tmp_path / "x.jsonl").read_text())
        for line in lines:
            assert not [secret for secret in everyone if secret in line]
            assert line.count("[redacted]") >= len(everyone)


@pytest.mark.parametrize("file", ["jwt.secret", "secret.key"])
async def test_secrets_drawn_while_it_runs_are_known_from_then_on(tmp_path, file):
    async with running(tmp_path, 1) as sidecar:
        inner = sidecar.sidecar
        list(inner.secrets())  # whoever keeps what was found misses the rest
        assert not (sidecar.state / file).exists()
        if file == "jwt.secret":
            inner.parts.callers.token_secret.need()
        else:
            inner.parts.callers.sealing.seal("x", "y")
        drawn = (sidecar.state / file).read_text().strip()
        assert drawn in set(inner.secrets())
    async with running(tmp_path, 1) as sidecar:
        assert drawn in set(sidecar.sidecar.secrets())
