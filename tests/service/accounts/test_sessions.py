"""Who a token is, at each moment."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from kit.accounts import accounts_at
from wattline.base.errors import ClientFault
from wattline.base.ids import hash_secret
from wattline.base.origin import Origin
from wattline.rules.compiled.entrance import Auth
from wattline.service.accounts.auth import authenticate
from wattline.service.accounts.directory import Directory
from wattline.service.accounts.entitlement import still_let_in
from wattline.service.accounts.sessions import Sessions
from wattline.service.accounts.token_secret import TokenSecret
from wattline.service.accounts.tokens import Tokens
from wattline.store.sqlite import SqliteLedger
from wattline.wire.call import LOCAL, Role
from wattline.wire.http import Request, Use

SECRET = "3f9c1d77a0b24e6f8851c2d3e4f5a6b79087cdef0123a4b5"
OWNED = frozenset({("p", Origin("https", "p.test", 443))})


@asynccontextmanager
async def sessions_at(folder, kept=100):
    async with accounts_at(folder) as (accounts, clock):
        user = await accounts.create_user("ann", password="hash-1", email="ann@example.com")
        directory = Directory(accounts.store, clock, lambda _: OWNED)
        tokens = Tokens(TokenSecret({"JWT_SECRET": SECRET}, folder), clock)
        yield accounts, Sessions(tokens, directory, kept), tokens, clock, directory
        assert user.session == 0


class Head:
    path = "/"

    def __init__(self, secret, name="authorization"):
        self.pairs = {name: f"Bearer {secret}" if "auth" in name else secret}

    def all(self, name):
        return [self.pairs[name]] if name in self.pairs else []


async def test_a_token_is_its_user(tmp_path):
    """E-002: with the user's role and own keys as they are now."""
    async with sessions_at(tmp_path) as (accounts, sessions, tokens, clock, _):
        token = tokens.issue(accounts.user("ann"))
        found = sessions.find(token)
        assert (found.id, found.user, found.role, found.key) == ("ann", "ann", Role.USER, None)
        assert (found.session, found.hashed) == (0, hash_secret(token))
        assert found.providers is OWNED
        assert found.expires == (int(clock.wall()) + 86_400) * 1000
        await accounts.change_user("ann", role=Role.ADMIN)
        assert sessions.find(token).role is Role.ADMIN
        assert token not in repr(found)


async def test_what_ends_it(tmp_path):
    """E-121: known tokens too, at once."""
    async with sessions_at(tmp_path) as (accounts, sessions, tokens, clock, _):

        async def fresh():
            token = tokens.issue(accounts.user("ann"))
            assert sessions.find(token) is not None
            return token

        token = await fresh()
        await accounts.change_user("ann", password="hash-2")
        assert sessions.find(token) is None
        token = await fresh()
        await accounts.disable_user("ann")
        assert sessions.find(token) is None
        await accounts.enable_user("ann")
        assert sessions.find(token) is None
        token = await fresh()
        await accounts.change_user("ann", name="Anna", email="a@example.com")
        assert sessions.find(token) is not None
        assert await accounts.store.rehash("ann", "hash-2", "hash-2 anew")
        assert sessions.find(token) is not None
        assert not await accounts.store.rehash("ann", "hash-2", "hash-3")
        assert accounts.user("ann").password == "hash-2 anew"
        clock.advance(86_400)
        assert sessions.find(token) is None
        assert len(sessions) == 2  # an ended one is forgotten


async def test_sessions_are_in_the_file(tmp_path):
    async with sessions_at(tmp_path) as (accounts, _, _, clock, _):
        for number in range(3):
            await accounts.change_user("ann", password=f"hash-{number}")
        assert accounts.user("ann").session == 3
        user = accounts.user("ann")
    ledger = await SqliteLedger.open_at(tmp_path / "ledger.sqlite", clock)
    try:
        assert ledger.accounts.user("ann") == user
    finally:
        await ledger.close()


async def test_users_that_are_not_there(tmp_path):
    async with sessions_at(tmp_path) as (_, sessions, tokens, _, _):
        from wattline.store.people import User  # noqa: PLC0415

        assert sessions.find(tokens.issue(User("eve", "", Role.ADMIN, 0))) is None


async def test_common_beginnings_have_nothing_in_common(tmp_path):
    """The cache goes by the whole token (CVE-2026-35030)."""
    async with sessions_at(tmp_path) as (accounts, sessions, tokens, _, _):
        token = tokens.issue(accounts.user("ann"))
        assert sessions.find(token) is not None
        for length in (20, 63, 64, len(token) - 10):
            assert sessions.find(token[:length] + "x" * (len(token) - length)) is None
        assert sessions.find(token + " ") is None
        assert sessions.find(token) is not None


async def test_what_is_known_is_bounded(tmp_path):
    async with sessions_at(tmp_path, kept=5) as (accounts, sessions, tokens, _, _):
        made = [tokens.issue(accounts.user("ann")) for _ in range(20)]
        assert all(sessions.find(token) for token in made)
        assert len(sessions) == 5
        assert all(sessions.find(token) for token in made)
        for number in range(100):
            assert sessions.find(f"eyJ{number}.a.b") is None
        assert len(sessions) == 5


async def test_each_mode(tmp_path):
    """Decision 11: tokens count in `open` and `jwt` mode, keys in all."""
    async with sessions_at(tmp_path) as (accounts, sessions, tokens, _, directory):
        token = tokens.issue(accounts.user("ann"))
        issued = await accounts.create_key("ann")

        def who(mode, secret, header="authorization", **more):
            head, auth = Head(secret, header), Auth(mode)
            return authenticate(auth, head, find=directory.find, read=sessions.find, **more)

        for mode in ("open", "jwt"):
            for header in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
                assert who(mode, token, header, proxy=False).session == 0
            assert who(mode, token, "proxy-authorization", proxy=True).id == "ann"
            assert who(mode, issued.secret, proxy=False).key == issued.key.id
        assert who("keys", issued.secret, proxy=False).key == issued.key.id
        with pytest.raises(ClientFault):
            who("keys", token, proxy=False)
        with pytest.raises(ClientFault):
            who("jwt", token + "x", proxy=False)
        assert who("open", token + "x", proxy=False) is LOCAL


async def test_a_key_of_a_tokens_shape_is_still_a_key(tmp_path):
    async with sessions_at(tmp_path) as (_, sessions, _, _, _):
        shaped = "eyJhbGciOiJIUzI1NiJ9.e30.static-key-of-an-operator"
        auth = Auth("jwt", {hash_secret(shaped): "old client"})
        found = authenticate(auth, Head(shaped), proxy=False, read=sessions.find)
        assert found.id == "old client"


async def test_a_connection_outlives_its_token(tmp_path):
    async with sessions_at(tmp_path) as (accounts, sessions, tokens, clock, directory):

        def request(principal):
            return Request(
                "r",
                "POST",
                "http",
                "h",
                80,
                "/",
                (),
                b"",
                "127.0.0.1",
                Use.REVERSE,
                None,
                principal,
            )

        found = sessions.find(tokens.issue(accounts.user("ann")))
        let_in = still_let_in(request(found), directory.current, Auth("jwt"))
        assert let_in.principal == found
        with pytest.raises(ClientFault):
            still_let_in(request(found), directory.current, Auth("keys"))
        clock.advance(86_400)
        for mode in ("open", "jwt"):
            with pytest.raises(ClientFault) as refused:
                still_let_in(request(found), directory.current, Auth(mode))
            assert refused.value.status == 401
