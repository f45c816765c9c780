"""Headers to a principal."""

from __future__ import annotations

import base64

import pytest

from wattline.base.errors import ClientFault
from wattline.base.ids import hash_secret
from wattline.rules.compiled.entrance import Auth
from wattline.service.accounts.auth import authenticate
from wattline.wire.call import LOCAL

KEY = "0123456789abcdef0123456789abcdef"
AUTH = Auth("keys", {hash_secret(KEY): "alice"}, {"alice": "gold"})


class Head:
    path = "/v1/chat/completions"

    def __init__(self, **headers):
        self.path = "/"
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}

    def all(self, name):
        return [self.headers[name]] if name in self.headers else []


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_who_shows_a_token_that_ended_is_told_to_log_in_again():
    ended = "eyJhbGciOiJIUzI1NiJ9.e30.x"
    for mode, word in (("jwt", "The key or token"), ("keys", "The key in this request")):
        with pytest.raises(ClientFault) as caught:
            authenticate(Auth(mode, {}, {}), Head(authorization=f"Bearer {ended}"), proxy=False)
        assert word in caught.value.message
        assert ("Log in again" in caught.value.message) == (mode == "jwt")
        assert ended not in caught.value.message


def test_open_mode_asks_for_nothing():
    assert authenticate(Auth(), Head(), proxy=False) is LOCAL


@pytest.mark.parametrize(
    "head",
    [
        Head(authorization=f"Bearer {KEY}"),
        Head(authorization=f"bearer  {KEY}"),
        Head(x_api_key=KEY),
        Head(api_key=KEY),
        Head(x_goog_api_key=KEY),
    ],
)
def test_a_key_in_any_of_the_usual_headers(head):
    """B-060: Bearer, api-key or x-api-key."""
    principal = authenticate(AUTH, head, proxy=False)
    assert (principal.id, principal.tier) == ("alice", "gold")


@pytest.mark.parametrize("value", [f"Bearer {KEY}", basic(f"any:{KEY}"), basic(f":{KEY}")])
def test_a_proxy_takes_the_key_in_its_own_header(value):
    assert authenticate(AUTH, Head(proxy_authorization=value), proxy=True).id == "alice"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}0",
        "Basic !!!",
        f"Token {KEY}",
        basic(KEY),
        basic("x:"),
        "Bearer ' OR 1=1 --",
        "Bearer \udcff",
    ],
)
@pytest.mark.parametrize("proxy", [False, True])
def test_anything_else_is_refused(value, proxy):
    """A-152: 401 for a wrong or missing key, 407 from the proxy."""
    name = "proxy_authorization" if proxy else "authorization"
    with pytest.raises(ClientFault) as caught:
        authenticate(AUTH, Head(**{name: value}), proxy=proxy)
    assert caught.value.status == (407 if proxy else 401)
    assert KEY not in caught.value.message


def test_keys_that_share_a_long_prefix_are_different():
    """CVE-2026-35030: the whole key counts."""
    with pytest.raises(ClientFault):
        authenticate(AUTH, Head(authorization=f"Bearer {KEY[:31]}x"), proxy=False)
