"""B-150 to B-172: pictures by URL, over real sockets. 127.0.0.2 stands for a public address in these
tests; every other address is judged as always."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from kit import faulty as f
from kit.faulty import Fault, Peer, Server, faulty
from wattline.base.errors import ClientFault
from wattline.upstream.addresses import Address, why_not_public
from wattline.upstream.guard import Listeners
from wattline.upstream.image_policy import ImagePolicy
from wattline.upstream.images import MAX_IMAGES, Images
from wattline.wire.pictures import Fetched, ImageUrl

PUBLIC = "127.0.0.2"
HOST = "pictures.test"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 9
KINDS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"x" * 20,
    "image/gif": b"GIF89a" + b"x" * 20,
    "image/webp": b"RIFF\x20\x00\x00\x00WEBPVP8 " + b"x" * 20,
}
POLICY = ImagePolicy(timeout=5)
SECRET_PATH = "/a/secret-path.png?signature=secret-query"


def seems_public(address: Address) -> str | None:
    return None if str(address) == PUBLIC else why_not_public(address)


class Names:
    """A resolver that gives the answers in turn, the last one for good; counts questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002  (a resolver is asked so)
        self.asked.append(host)
        if not self.answers:
            raise socket.gaierror(-2, "Name or service not known")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def made(ca):
    def make(*answers: Sequence[str], own: Sequence[tuple[str, int]] = ()) -> Images:
        images = Images(
            listeners=Listeners(own),
            tls=ca.client(),
            resolve=Names(*(answers or ([PUBLIC],))),
            why_not=seems_public,
        )
        images.names = images._one._resolve  # type: ignore[attr-defined]
        return images

    return make


def picture(data: bytes = PNG, kind: str = "image/png", *headers: tuple[str, str]) -> bytes:
    return f.whole(data, headers=(("content-type", kind), *headers))


def redirect(to: str, status: str = "302 Found") -> bytes:
    return f.whole(b"", status, (("location", to),))


@contextlib.asynccontextmanager
async def serving(fault: Fault, host: str = PUBLIC, **options: object) -> AsyncIterator[Server]:
    async with faulty(fault, host=host, **options) as server:  # type: ignore[arg-type]
        yield server


def url(server: Server, path: str = SECRET_PATH, host: str = HOST) -> str:
    return f"{server.origin.scheme}://{host}:{server.origin.port}{path}"


async def refused(
    images: Images, where: str, policy: ImagePolicy = POLICY, **more: str
) -> ClientFault:
    with pytest.raises(ClientFault) as caught:
        await images.fetch(where, policy, **more)
    message = caught.value.message
    assert "secret" not in message
    assert PUBLIC not in message
    return caught.value


# What is fetched


@pytest.mark.parametrize("kind", KINDS)
async def test_picture_comes_whole_with_the_type_of_its_bytes(made, kind: str) -> None:
    async with serving(f.good(picture(KINDS[kind], "image/x-whatever"))) as server:
        found = await made().fetch(url(server), POLICY)
    assert found == Fetched(kind, KINDS[kind])


async def test_request_says_no_more_than_it_must(made) -> None:
    """B-154, B-157: no credential, no cookie; our user agent; the path and query as the client gave them."""
    async with serving(f.good(picture())) as server:
        path = "/a%2Fb/%7e;x=1/ü?q=%20a+b&s=A/B==#part"
        await made().fetch(url(server, path), replace(POLICY, user_agent="ua/1"))
    (seen,) = server.requests
    assert seen.lines == [
        b"GET /a%2Fb/%7e;x=1/%C3%BC?q=%20a+b&s=A/B== HTTP/1.1",
        f"host: {HOST}:{server.origin.port}".encode(),
        b"user-agent: ua/1",
        b"accept: image/png, image/jpeg, image/gif, image/webp",
        b"accept-encoding: identity",
    ]


async def test_referer_of_the_call_goes_before_that_of_the_policy(made) -> None:
    """B-158, B-172"""
    policy = replace(POLICY, referer="https://default.test/")
    async with serving(f.good(picture())) as server:
        images = made()
        await images.fetch(url(server), policy)
        await images.fetch(url(server), policy, "https://mine.test/")
    assert [seen.values("referer") for seen in server.requests] == [
        [b"https://default.test/"],
        [b"https://mine.test/"],
    ]


@pytest.mark.parametrize("referer", ["a\r\nx: y", "ü", "", "x" * 3000, "a\x00"])
async def test_referer_that_is_no_header_is_refused(made, referer: str) -> None:
    async with serving(f.good(picture())) as server:
        fault = await refused(made(), url(server), referer=referer)
        assert fault.param == "x-image-fetch-referer"
        assert server.connections == 0


async def test_https_verifies_the_name_while_the_address_is_pinned(made, ca) -> None:
    async with serving(f.good(picture()), tls=ca.server(HOST)) as server:
        assert (await made().fetch(url(server), POLICY)).data == PNG
    async with serving(f.good(picture()), tls=ca.server("other.test", PUBLIC)) as server:
        fault = await refused(made(), url(server))
        assert "certificate" in fault.message
        assert server.requests == []


async def test_authorization_goes_to_the_urls_own_origin_only(made, ca) -> None:
    """B-154: forwarded only if told so, only over https, never to where a redirect leads."""
    allowed = replace(POLICY, forward_auth=True)
    async with (
        serving(f.good(picture()), tls=ca.server("other.test")) as second,
        serving(f.good(redirect(url(second, "/x", "other.test"))), tls=ca.server(HOST)) as first,
        serving(f.good(picture())) as plain,
    ):
        images = made()
        await images.fetch(url(first), allowed, authorization="Bearer k")
        await images.fetch(url(first), POLICY, authorization="Bearer k")
        await images.fetch(url(plain), allowed, authorization="Bearer k")
    assert [seen.values("authorization") for seen in first.requests] == [[b"Bearer k"], []]
    assert [seen.values("authorization") for seen in second.requests] == [[], []]
    assert plain.requests[0].values("authorization") == []


async def test_private_hosts_are_reached_when_allowed(made) -> None:
    """B-153"""
    policy = replace(POLICY, allow_private=True)
    async with serving(f.good(picture()), host="127.0.0.1") as server:
        images = made(["127.0.0.1"])
        assert (await images.fetch(url(server), policy)).data == PNG
        port = server.origin.port
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"):
            assert (await images.fetch(f"http://{host}:{port}/x", policy)).data == PNG


async def test_any_of_a_names_addresses_will_do(made) -> None:
    policy = replace(POLICY, allow_private=True)
    async with serving(f.good(picture()), host="127.0.0.1") as server:
        images = made(["127.0.0.3", "127.0.0.1"])
        assert (await images.fetch(url(server), policy)).data == PNG


# Where nothing is fetched from


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
        "127\u30020\u30020\u30021",
    ],
)
async def test_addresses_that_are_not_public_are_refused_in_every_spelling(made, host) -> None:
    """B-153, B-171"""
    for scheme in ("http", "https"):
        fault = await refused(made(), f"{scheme}://{host}/secret")
        assert fault.code == "image_url_not_allowed"
        assert fault.status == 400


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        [PUBLIC, "::ffff:10.0.0.1"],
        [PUBLIC, "64:ff9b::a00:1"],
        [PUBLIC, "fe80::1%lo"],
        [PUBLIC, "169.254.169.254"],
        [PUBLIC, "0.0.0.0"],
    ],
)
async def test_one_private_address_of_a_name_refuses_them_all(made, answer) -> None:
    """T3: and no connection is made to the others."""
    async with serving(f.good(picture())) as server:
        fault = await refused(made(answer), url(server))
        assert fault.code == "image_url_not_allowed"
        assert HOST in fault.message
        assert server.connections == 0


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "168.63.129.16", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "0.0.0.0"],
)
async def test_metadata_services_stay_closed_when_private_hosts_are_allowed(made, host) -> None:
    fault = await refused(made(), f"http://{host}/secret", replace(POLICY, allow_private=True))
    assert fault.code == "image_url_not_allowed"


async def test_own_listeners_are_never_asked(made) -> None:
    """T5: not by address, not by name, not through a redirect, whatever the policy."""
    policy = replace(POLICY, allow_private=True)
    async with serving(f.good(picture())) as own:
        here = (PUBLIC, own.origin.port)
        async with serving(f.good(redirect(url(own)))) as server:
            for where in (url(own), url(own, host=PUBLIC), url(server)):
                with pytest.raises(ClientFault) as caught:
                    await made(own=[here]).fetch(where, policy)
                assert caught.value.code == "image_url_not_allowed"
        assert own.connections == 0


async def test_name_is_resolved_once_and_the_connection_goes_there(made) -> None:
    """T3: a resolver that answers otherwise the second time changes nothing."""
    async with (
        serving(f.good(picture())) as server,
        serving(f.good(picture()), host="127.0.0.1") as inside,
    ):
        images = made([PUBLIC], ["127.0.0.1"])
        assert (await images.fetch(url(server), POLICY)).data == PNG
        assert images.names.asked == [HOST]
        assert inside.connections == 0
        fault = await refused(images, url(server))
        assert fault.code == "image_url_not_allowed"


async def test_rebinding_between_redirects_is_caught(made) -> None:
    async def fault(peer: Peer) -> None:
        while await peer.request():
            await peer.send(redirect("/again"))

    async with serving(fault) as server:
        images = made([PUBLIC], ["127.0.0.1"])
        assert (await refused(images, url(server))).code == "image_url_not_allowed"
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST.", "\u24dbocalhost", "metadata.google.internal"]
)
async def test_names_are_judged_by_their_addresses(made, name) -> None:
    images = made(["127.0.0.1"])
    assert (await refused(images, f"http://{name}/x")).code == "image_url_not_allowed"
    assert images.names.asked == [name.lower().removesuffix(".").replace("\u24db", "l")]


async def test_international_names_are_asked_for_in_their_ascii_form(made) -> None:
    images = made(["10.0.0.1"])
    await refused(images, "http://bücher.test/x")
    assert images.names.asked == ["xn--bcher-kva.test"]


async def test_name_without_an_address_is_told(made) -> None:
    images = made()
    images.names.answers.clear()
    assert "no address" in (await refused(images, "http://nowhere.test/")).message
    images.names.answers.append(["not an address"])
    assert "no address" in (await refused(images, "http://nowhere.test/")).message
    images.names.answers[:] = [[]]
    assert "no address" in (await refused(images, "http://nowhere.test/")).message


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "http://",
        "http:///x",
        "//host/x",
        "http://user:secret@pictures.test/",
        "http://secret@pictures.test/",
        "http://@pictures.test/",
        "http://pictures.test\\@127.0.0.1/",
        "http://pictures.test /",
        "http://pictures.test/a\r\nb",
        " http://pictures.test/",
        "http://pictures.test/\x00",
        "http://pictures.test:0/",
        "http://pictures.test:99999/",
        "http://pictures.test:8o/",
        "http://pictures.test:-1/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[fe80::1%25lo]/",
        "http://a..b/",
        "http://a%2eb/",
        "http://127.0.0.1%00.pictures.test/",
        "http://1.2.3.4.5/",
        "http://0x7f.0.0.0x1ff/",
        "http://\u202eevil.test/",
        "http://" + "a" * 300 + "/",
        "http://pictures.test/" + "a" * 9000,
        "ftp://pictures.test/x",
        "file:///etc/passwd",
        "gopher://pictures.test/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http",
        "\ud800",
        "http://\ud800/",
    ],
)
async def test_what_is_no_plain_url_is_refused_before_any_question(made, bad: str) -> None:
    images = made()
    fault = await refused(images, bad)
    assert fault.code in ("invalid_image_url", "image_url_not_allowed")
    assert images.names.asked == []


async def test_lone_surrogate_in_a_path_is_no_crash(made) -> None:
    async with serving(f.good(picture())) as server:
        assert (await made().fetch(url(server, "/\ud800"), POLICY)).data == PNG
    assert server.requests[0].lines[0] == b"GET /? HTTP/1.1"


async def test_protocols_and_hosts_of_the_policy(made) -> None:
    """B-155, B-156"""
    async with serving(f.good(picture())) as server:
        images = made()
        only = replace(POLICY, allowed_protocols=frozenset({"https"}))
        assert "only https" in (await refused(images, url(server), only)).message
        listed = replace(POLICY, allowed_hosts=("example.com", ".ok.test", "*.deep.test"))
        for host in ("pictures.test", "xexample.com", "a.example.com", "deep.test", "xok.test"):
            message = (await refused(images, url(server, host=host), listed)).message
            assert "IMAGE_FETCH_ALLOWED_HOSTS" in message
        assert images.names.asked == []
        for host in ("EXAMPLE.com.", "ok.test", "a.b.ok.test", "x.deep.test"):
            await images.fetch(url(server, host=host), listed)


# Redirects


async def test_redirects_are_followed_as_often_as_allowed(made) -> None:
    """B-152"""
    hops: list[bytes] = []

    async def fault(peer: Peer) -> None:
        while (seen := await peer.request()) is not None:
            count = int(seen.lines[0].split()[1].removeprefix(b"/"))
            hops.append(seen.lines[0])
            await peer.send(redirect(f"/{count - 1}", "307 X") if count else picture())

    async with serving(fault) as server:
        assert (await made().fetch(url(server, "/3"), POLICY)).data == PNG
        hops.clear()
        assert "more than 3 times" in (await refused(made(), url(server, "/4"))).message
        assert len(hops) == 4
        none = replace(POLICY, max_redirects=0)
        assert (await made().fetch(url(server, "/0"), none)).data == PNG
        assert "more than 0 times" in (await refused(made(), url(server, "/1"), none)).message


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
async def test_redirect_loop_ends(made, status: str) -> None:
    async with serving(f.good(redirect("", status))) as server:
        assert (await refused(made(), url(server))).code == "image_fetch_failed"
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//127.0.0.1/",
        "http://2130706433/",
        "http://[::1]/",
        "file:///etc/passwd",
        "ftp://pictures.test/",
        "http://secret:secret@pictures.test/",
        "http://[::1",
        "https://\x81\x82/",
        "data:image/png;base64,AAAA",
        "\\\\127.0.0.1\\x",
    ],
)
async def test_redirects_are_checked_like_the_url(made, to: str) -> None:
    """B-171, T3"""
    async with serving(f.good(redirect(to))) as server:
        fault = await refused(made(), url(server))
        assert fault.code in ("image_url_not_allowed", "invalid_image_url", "image_fetch_failed")
        assert len(server.requests) < 4


async def test_redirect_from_https_to_http_is_refused(made, ca) -> None:
    async with serving(f.good(picture())) as plain:
        answer = redirect(url(plain))
        async with serving(f.good(answer), tls=ca.server(HOST)) as server:
            assert "from https to http" in (await refused(made(), url(server))).message
        assert plain.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        f.whole(b"", "302 Found", ()),
        f.whole(PNG, "304 Not Modified", (("content-type", "image/png"),)),
        f.whole(PNG, "206 Partial", (("content-type", "image/png"),)),
        f.whole(PNG, "404 Not Found", (("content-type", "image/png"),)),
        f.whole(PNG, "500 secret", (("content-type", "image/png"),)),
        b"HTTP/1.1 secret\r\n\r\n",
        b"secret\r\n\r\n",
        b"",
    ],
)
async def test_any_other_answer_is_told(made, answer: bytes) -> None:
    async with serving(f.then_close(answer)) as server:
        assert (await refused(made(), url(server))).code == "image_fetch_failed"


# Bounds


async def test_slow_drip_ends_with_the_total_time(made) -> None:
    """B-150: a byte now and then does not stretch it."""

    async def drip(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n" + PNG)
        while not peer.gone.is_set():
            await peer.send(b"x")
            await asyncio.sleep(0.02)

    async with serving(drip) as server:
        began = time.monotonic()
        fault = await refused(made(), url(server), replace(POLICY, timeout=0.3))
        assert fault.code == "image_fetch_timeout"
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"])
async def test_silence_ends_with_the_total_time(made, start: bytes) -> None:
    async with serving(f.then_stall(start)) as server:
        fault = await refused(made(), url(server), replace(POLICY, timeout=0.2))
        assert fault.code in ("image_fetch_timeout", "unsupported_image")


async def test_redirects_share_the_total_time(made) -> None:
    async def slow(peer: Peer) -> None:
        while await peer.request():
            await asyncio.sleep(0.2)
            await peer.send(redirect("/x"))

    async with serving(slow) as server:
        policy = replace(POLICY, timeout=0.5, max_redirects=20)
        assert (await refused(made(), url(server), policy)).code == "image_fetch_timeout"
        assert len(server.requests) <= 3


async def test_resolver_shares_the_total_time(made) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    images = made()
    images._one._resolve = never
    fault = await refused(images, "http://pictures.test/", replace(POLICY, timeout=0.1))
    assert fault.code == "image_fetch_timeout"


async def test_size_is_bounded_by_what_comes_and_by_what_is_declared(made) -> None:
    """B-151"""
    small = replace(POLICY, max_bytes=len(PNG))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"

    async def endless(peer: Peer) -> None:
        await peer.request()
        await peer.send(head + b"\r\n" + PNG)
        while not peer.gone.is_set():
            await peer.send(b"x" * 65536)

    async with serving(f.good(picture())) as server:
        assert (await made().fetch(url(server), small)).data == PNG
    for fault in (
        f.good(picture(PNG + b"x")),
        f.then_stall(head + b"content-length: 99999999999999999999999\r\n\r\n"),
        f.then_stall(head + b"content-length: 1000000\r\n\r\n"),
        endless,
    ):
        async with serving(fault) as server:
            assert (await refused(made(), url(server), small)).code in (
                "image_too_large",
                "image_fetch_failed",  # a length that no parser reads
            )


async def test_content_length_that_lies_is_a_failure_or_without_effect(made) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"
    more = head + b"content-length: %d\r\n\r\n" % (len(PNG) + 10) + PNG
    async with serving(f.then_close(more)) as server:
        assert (await refused(made(), url(server))).code == "image_fetch_failed"
    less = head + b"content-length: 20\r\n\r\n" + PNG
    async with serving(f.then_close(less)) as server:
        with contextlib.suppress(ClientFault):
            assert (await made().fetch(url(server), POLICY)).data == PNG[:20]


async def test_compressed_answers_are_refused_unread(made) -> None:
    """T18: a gzip bomb is never unpacked."""
    bomb = gzip.compress(PNG + bytes(20_000_000))
    answer = picture(bomb, "image/png", ("content-encoding", "gzip"))
    async with serving(f.good(answer)) as server:
        fault = await refused(made(), url(server))
        assert fault.code == "unsupported_image"
    for coding in ("br", "gzip, gzip", "identity, gzip", "x"):
        answer = picture(PNG, "image/png", ("content-encoding", coding))
        async with serving(f.good(answer)) as server:
            assert "compressed" in (await refused(made(), url(server))).message
    async with serving(f.good(picture(bomb))) as server:
        assert (await refused(made(), url(server))).code == "unsupported_image"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/html", PNG),
        ("application/octet-stream", PNG),
        ("", PNG),
        ("image", PNG),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("image/svg+xml; charset=utf-8", PNG),
        ("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("image/png", b"<html>secret</html>"),
        ("image/png", b""),
        ("image/png", b"\x89PN"),
        ("image/webp", b"RIFF\x20\x00\x00\x00WAVEfmt "),
        ("image/bmp", b"BM" + bytes(50)),
        ("image/x-icon", b"\x00\x00\x01\x00"),
    ],
)
async def test_type_and_bytes_must_both_be_a_pictures(made, kind: str, data: bytes) -> None:
    async with serving(f.good(picture(data, kind))) as server:
        fault = await refused(made(), url(server))
        assert fault.code == "unsupported_image"
        assert "PNG, JPEG, GIF or WebP" in fault.message


# Several pictures


async def test_pictures_of_a_call_are_fetched_together_each_once(made) -> None:
    at_once = most = 0

    async def fault(peer: Peer) -> None:
        nonlocal at_once, most
        while (seen := await peer.request()) is not None:
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.05)
            at_once -= 1
            await peer.send(picture(PNG + seen.lines[0]))

    async with serving(fault) as server:
        wanted = [ImageUrl(url(server, f"/{n % 8}"), f"p{n}") for n in range(16)]
        found = await made().fetch_all(wanted, POLICY)
        assert found.keys() == {image.url for image in wanted}
        assert len(server.requests) == 8
    assert 1 < most <= 4


async def test_first_failure_ends_the_others_and_names_the_field(made) -> None:
    gone = asyncio.Event()

    async def fault(peer: Peer) -> None:
        seen = await peer.request()
        if seen is not None and b"/bad" in seen.lines[0]:
            await peer.send(f.whole(b"", "404 Not Found"))
        await peer.until_gone()
        gone.set()

    async with serving(fault) as server:
        wanted = [ImageUrl(url(server, "/hangs"), "a"), ImageUrl(url(server, "/bad"), "b")]
        with pytest.raises(ClientFault) as caught:
            await made().fetch_all([*wanted, ImageUrl(wanted[1].url, "c")], POLICY)
        assert caught.value.param == "b"
        async with asyncio.timeout(30):
            await gone.wait()


async def test_pictures_of_a_call_are_bounded_in_number_and_sum(made) -> None:
    async with serving(f.good(picture())) as server:
        many = [ImageUrl(url(server, f"/{n}"), "p") for n in range(MAX_IMAGES + 1)]
        with pytest.raises(ClientFault, match="there are more than 32"):
            await made().fetch_all(many, POLICY)
        assert server.connections == 0
        small = replace(POLICY, max_bytes=len(PNG))
        assert len(await made().fetch_all(many[:4], small)) == 4
        with pytest.raises(ClientFault, match="together they are larger"):
            await made().fetch_all(many[:5], small)
        assert await made().fetch_all([], POLICY) == {}


async def test_cancelled_call_leaves_no_connection(made) -> None:
    async with serving(f.hang_before_head()) as server:
        images = made()
        task = asyncio.ensure_future(images.fetch(url(server), POLICY))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            await server.peers[0].gone.wait()


async def test_environment_proxies_are_ignored(made, monkeypatch: pytest.MonkeyPatch) -> None:
    """T3: a proxy would resolve the name again, and may be the sidecar itself."""
    async with serving(f.good(picture())) as proxy, serving(f.good(picture())) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, str(proxy.origin))
        await made().fetch(url(server), POLICY)
        assert proxy.connections == 0


def test_stand_in_for_a_public_address_is_the_only_one() -> None:
    assert seems_public(ip_address("127.0.0.1")) is not None
