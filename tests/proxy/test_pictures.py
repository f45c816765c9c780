"""Pictures by URL through the sidecar: fetched for targets that want their bytes, and for those only."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest

from kit.books import rows
from kit.certs import authority
from kit.clients import REVERSE, Reply, client
from kit.galleries import JPEG, PNG, gallery
from kit.providers.fleet import Fleet, fleet
from kit.providers.saying import Fault, Saying
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings, SettingsError
from wattline.upstream.guard import Listeners
from wattline.upstream.images import Images

B64 = base64.b64encode(PNG).decode()
DATA = f"data:image/png;base64,{B64}"
PHOTO = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
BYTES_ONLY = ("anthropic", "openai", "gemini", "ollama")
"""All of these take the bytes of a picture."""
OPEN = {"IMAGE_FETCH_ALLOW_PRIVATE": "true"}


@asynccontextmanager
async def fetching(tmp_path, *dialects: str, native=False, flag=True, **env: str):
    """Providers with `inline_images`, and a server of pictures. `native`: OpenAI's has responses."""
    replace = []
    if flag:
        replace += [
            (f"    dialect: {name}\n", f"    dialect: {name}\n    inline_images: true\n")
            for name in dialects
        ]
    if native:
        replace.append(("    responses: false\n", "    responses: true\n"))
    async with (
        gallery() as pictures,
        fleet(tmp_path, dialects, replace=replace, env={**OPEN, **env}) as sidecar,
    ):
        yield sidecar, pictures


def chat(*urls: str, model: str = "m-openai", **more: object) -> dict:
    """OpenAI's chat: a system message, and a user's with these pictures."""
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "What is this?"}, *parts]
    messages = [{"role": "system", "content": "Look."}, {"role": "user", "content": content}]
    return {"model": model, "messages": messages, **more}


def responses(*urls: str, model: str = "m-openai", **more: object) -> dict:
    parts = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in urls]
    content = [{"type": "input_text", "text": "What is this?"}, *parts]
    return {"model": model, "input": [{"role": "user", "content": content}], **more}


def messages(*urls: str, model: str = "m-openai", **more: object) -> dict:
    parts = [{"type": "image", "source": {"type": "url", "url": url}} for url in urls]
    content = [{"type": "text", "text": "What is this?"}, *parts]
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    turns = [*said, {"role": "user", "content": content}]
    return {"model": model, "max_tokens": 99, "system": "Look.", "messages": turns, **more}


def contents(*urls: str) -> dict:
    parts = [{"fileData": {"mimeType": "image/png", "fileUri": url}} for url in urls]
    turn = {"role": "user", "parts": [{"text": "What is this?"}, *parts]}
    return {"systemInstruction": {"parts": [{"text": "Look."}]}, "contents": [turn]}


CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
GENERATE = "/v1beta/models/m-openai:generateContent"
ASKING = {CHAT: chat, RESPONSES: responses}
WHOLE_AND_STREAMED = [(path, make, on) for path, make in ASKING.items() for on in (False, True)]


def seen_images(sidecar: Fleet, dialect: str) -> list[str]:
    meaning = sidecar.provider(dialect).last.meaning
    assert meaning is not None, sidecar.provider(dialect).last.wrong
    return [item[1] for item in meaning.items("image")]


def raw(body: dict) -> bytes:
    """As a client with its own taste in white space would write it."""
    return json.dumps(body, indent=1, ensure_ascii=False).encode() + b"\r\n "


# What the target gets


async def test_native_target_gets_the_same_bytes_but_for_the_urls(tmp_path):
    """B-170: only the URLs are replaced, a data: URL and a URL in the text are not."""
    async with fetching(tmp_path, "openai", native=True) as (sidecar, pictures):
        fake = sidecar.provider("openai")
        a, b = f"{pictures.url}/a.png", f"{pictures.url}/b.jpg?x=%20&y=1"
        for path, make, stream in WHOLE_AND_STREAMED:
            if path == RESPONSES:
                fake.raw.append(RESPONSE[stream])
            options = {"include_usage": True} if stream and path == CHAT else None
            more = {"stream": stream, "user": "é \\ /", "temperature": 1.0}
            more |= {"stream_options": options} if options else {}
            asked = raw(make(a, DATA, b, a, **more))
            asked = asked.replace(b"What is this?", f"What is {a}?".encode())
            reply = await sidecar.call(asked, path=path)
            assert reply.status == 200, reply.body
            wanted = asked.replace(b'"model": "m-openai"', b'"model": "up"')
            wanted = wanted.replace(f'"{a}"'.encode(), f'"{DATA}"'.encode())
            assert fake.last.raw == wanted.replace(f'"{b}"'.encode(), f'"{PHOTO}"'.encode())
            assert sorted(pictures.paths) == ["/a.png", "/b.jpg?x=%20&y=1"]
            pictures.asked.clear()


@pytest.mark.parametrize("prefix", ["/v4", "/v6", "/v6/api/v1"])
async def test_on_the_paths_of_other_clients_too(tmp_path, prefix):
    """B-170, B-172: OpenRouter's and Groq's, with the referer of the call."""
    async with fetching(tmp_path, "openai", native=True) as (sidecar, pictures):
        mine = ("x-image-fetch-referer", "https://mine.test/")
        body = chat(f"{pictures.url}/a.png")
        reply = await sidecar.call(body, path=f"{prefix}/chat/completions", headers=[mine])
        assert reply.status == 200, reply.body
        assert seen_images(sidecar, "openai") == [B64]
        assert pictures.last["referer"] == "https://mine.test/"


DONE = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "model": "up"}
DONE["usage"] = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
COMPLETED = json.dumps({"type": "response.completed", "response": DONE})
RESPONSE = {
    False: ([json.dumps(DONE).encode()], "application/json"),
    True: ([f"event: response.completed\ndata: {COMPLETED}\n\n".encode()], "text/event-stream"),
}


@pytest.mark.parametrize("dialect", BYTES_ONLY)
async def test_every_dialect_gets_the_bytes(tmp_path, dialect):
    """B-170: in the words of the target, strictly checked."""
    async with fetching(tmp_path, dialect) as (sidecar, pictures):
        for path, make, stream in WHOLE_AND_STREAMED:
            body = make(f"{pictures.url}/a.png", model=f"m-{dialect}", stream=stream)
            reply = await sidecar.call(body, path=path)
            assert (reply.status, reply.clean) == (200, True), reply.body
            assert seen_images(sidecar, dialect) == [B64]
        assert pictures.paths == ["/a.png"] * 4
        sidecar.check()


OTHERS = (
    *[(MESSAGES, messages, name) for name in BYTES_ONLY if name != "anthropic"],
    *[(GENERATE, contents, name) for name in BYTES_ONLY if name != "gemini"],
)


@pytest.mark.parametrize(("path", "make", "dialect"), OTHERS)
async def test_clients_of_other_dialects(tmp_path, path, make, dialect):
    """B-170: Anthropic's and Gemini's clients name pictures by URL too."""
    async with fetching(tmp_path, dialect) as (sidecar, pictures):
        body = make(f"{pictures.url}/a.png")
        if "model" in body:
            body["model"] = f"m-{dialect}"
        reply = await sidecar.call(body, path=path.replace("m-openai", f"m-{dialect}"))
        assert reply.status == 200, (reply.body, sidecar.provider(dialect).wrongs)
        assert seen_images(sidecar, dialect) == [B64]
        assert pictures.paths == ["/a.png"]


async def test_pictures_in_results_of_tools(tmp_path):
    """B-170: `function_call_output` with pictures, in the Responses API."""
    async with fetching(tmp_path, "openai", native=True) as (sidecar, pictures):
        fake = sidecar.provider("openai")
        fake.raw.append(RESPONSE[False])
        picture = {"type": "input_image", "image_url": f"{pictures.url}/a.png"}
        output = {"type": "function_call_output", "call_id": "c1", "output": [picture]}
        body = {"model": "m-openai", "input": [output]}
        assert (await sidecar.call(body, path=RESPONSES)).status == 200
        assert fake.last.body["input"][0]["output"][0]["image_url"] == DATA


@pytest.mark.parametrize(
    "chain", [("openai", "ollama"), ("ollama", "openai"), ("gemini", "ollama")]
)
async def test_pictures_are_fetched_once_for_a_chain(tmp_path, chain):
    """A-070: the second target gets the same picture; nobody asks for it again."""
    async with fetching(tmp_path, *chain) as (sidecar, pictures):
        by_name = [found.name for found in sidecar.upstreams]
        sidecar.upstreams[0].script(Saying(fault=Fault.STATUS, status=503))
        url = f"{pictures.url}/a.png"
        reply = await sidecar.call(chat(url, url, model="chain"))
        assert reply.status == 200, reply.body
        for name in by_name:
            assert seen_images(sidecar, name) == [B64, B64]
        assert pictures.paths == ["/a.png"]
        sidecar.check()


async def test_call_without_pictures_asks_nobody(tmp_path):
    async with fetching(tmp_path, "ollama") as (sidecar, pictures):
        body = chat(model="m-ollama")
        body["messages"][1]["content"][0]["text"] = f"{pictures.url}/a.png"
        assert (await sidecar.call(body)).status == 200
        assert (await sidecar.call(chat(DATA, model="m-ollama"))).status == 200
        assert seen_images(sidecar, "ollama") == [B64]
        assert pictures.asked == []


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_target_without_the_flag_gets_the_url(tmp_path, dialect):
    """B-170 is the operator's choice for each provider."""
    async with fetching(tmp_path, dialect, flag=False) as (sidecar, pictures):
        url = f"{pictures.url}/a.png"
        body = raw(chat(url, model=f"m-{dialect}"))
        assert (await sidecar.call(body)).status == 200
        assert seen_images(sidecar, dialect) == [url]
        if dialect == "openai":
            assert sidecar.provider(dialect).last.raw == body.replace(b"m-openai", b"up")
        assert pictures.asked == []


async def test_target_that_knows_no_urls_is_passed_over(tmp_path):
    """Ollama takes bytes only: without the flag the call goes to the next target."""
    async with fetching(tmp_path, "ollama", "openai", flag=False) as (sidecar, pictures):
        url = f"{pictures.url}/a.png"
        first = sidecar.upstreams[0].name
        reply = await sidecar.call(chat(url, model="chain"))
        assert (first, reply.status, sidecar.asked) == ("ollama", 200, ["openai"])
        assert seen_images(sidecar, "openai") == [url]


async def test_fetched_for_the_target_that_wants_it(tmp_path):
    """The first target has the URL, the second one the bytes."""
    async with fetching(tmp_path, "openai", "ollama", flag=False) as (sidecar, pictures):
        text = sidecar.rules.read_text()
        flagged = text.replace(
            "    dialect: ollama\n", "    dialect: ollama\n    inline_images: true\n"
        )
        sidecar.rules.write_text(flagged)
        sidecar.upstreams[0].script(Saying(fault=Fault.STATUS, status=503))
        url = f"{pictures.url}/a.png"
        assert (await sidecar.call(chat(url, model="chain"))).status == 200
        assert seen_images(sidecar, "openai") == [url]
        assert seen_images(sidecar, "ollama") == [B64]


# What can't be fetched


def named(path: str, reply: Reply) -> tuple[str, str]:
    """The message of an error in the dialect of a path, and the field that it names."""
    body = reply.json()
    error = body["error"]
    if path == GENERATE:
        assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
        (fields,) = [one["fieldViolations"] for one in error["details"] if "fieldViolations" in one]
        return error["message"], fields[0]["field"]
    assert path != MESSAGES or body["type"] == "error"
    assert error["type"] == "invalid_request_error"
    return error["message"], error["param"]


FIELDS = {
    CHAT: (chat, "messages[1].content[2].image_url.url"),
    RESPONSES: (responses, "input[0].content[2].image_url"),
    MESSAGES: (messages, "messages[2].content[2].source.url"),
    GENERATE: (contents, "contents[0].parts[2].fileData.fileUri"),
}


@pytest.mark.parametrize("dialect", ["openai", "ollama"])
async def test_failure_is_told_in_the_clients_dialect(tmp_path, dialect):
    """B-171: 400 with the field, as the client wrote it; no provider is asked, nothing is owed."""
    async with fetching(tmp_path, dialect) as (sidecar, pictures):
        for path, (make, field) in FIELDS.items():
            body = make(f"{pictures.url}/a.png", f"{pictures.url}/404?signature=secret")
            if "model" in body:
                body["model"] = f"m-{dialect}"
            reply = await sidecar.call(body, path=path.replace("m-openai", f"m-{dialect}"))
            assert reply.status == 400, reply.body
            message, param = named(path, reply)
            assert param == field
            assert "answered 404" in message
            assert "secret" not in message
        assert sidecar.asked == []
    assert rows(sidecar.state) == []


NO_PICTURE = {
    "/404": "image_fetch_failed",
    "/page": "unsupported_image",
    "/empty": "unsupported_image",
    "/big": "image_too_large",
    "/hops/4": "image_fetch_failed",
    "/slow": "image_fetch_timeout",
}


async def test_what_is_no_picture(tmp_path):
    """B-150, B-151, B-152: the bounds are those of the environment."""
    limits = {"IMAGE_FETCH_MAX_BYTES": "50000", "IMAGE_FETCH_TIMEOUT_MS": "300"}
    async with fetching(tmp_path, "openai", **limits) as (sidecar, pictures):
        for path, code in NO_PICTURE.items():
            reply = await sidecar.call(chat(f"{pictures.url}{path}"))
            assert (reply.status, reply.json()["error"]["code"]) == (400, code)
        assert (await sidecar.call(chat(f"{pictures.url}/hops/3"))).status == 200
        assert seen_images(sidecar, "openai") == [B64]


@pytest.mark.parametrize(
    ("env", "path", "code"),
    [
        ({"IMAGE_FETCH_MAX_BYTES": "100"}, "/a.png", "image_too_large"),
        ({"IMAGE_FETCH_MAX_REDIRECTS": "0"}, "/hops/1", "image_fetch_failed"),
        ({"IMAGE_FETCH_ALLOWED_HOSTS": "example.com"}, "/a.png", "image_url_not_allowed"),
        ({"IMAGE_FETCH_ALLOWED_PROTOCOLS": "https"}, "/a.png", "image_url_not_allowed"),
        ({"IMAGE_FETCH_ALLOW_PRIVATE": "false"}, "/a.png", "image_url_not_allowed"),
        ({"IMAGE_FETCH_ALLOW_PRIVATE": ""}, "/a.png", "image_url_not_allowed"),
    ],
)
async def test_limits_of_the_environment(tmp_path, env, path, code):
    """B-151 to B-156"""
    async with fetching(tmp_path, "openai", **env) as (sidecar, pictures):
        reply = await sidecar.call(chat(f"{pictures.url}{path}"))
        assert (reply.status, reply.json()["error"]["code"]) == (400, code), reply.body
        assert sidecar.asked == []


async def test_wrong_limit_does_not_start(tmp_path):
    """B-151: told at the start, not at the first picture."""
    env = {"IMAGE_FETCH_MAX_BYTES": "lots"}
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: [{name: all, try: model}]\n")
    settings = Settings(
        tmp_path / "rules.yaml", tmp_path / "state", host="127.0.0.1", port=0, env=env
    )
    with pytest.raises(SettingsError, match="IMAGE_FETCH_MAX_BYTES is 'lots'"):
        await Sidecar(settings).start()


PRIVATE = (
    *("http://127.0.0.1:{port}", "http://localhost:{port}", "http://x.localhost:{port}"),
    *("http://[::1]:{port}", "http://[::ffff:127.0.0.1]:{port}", "http://[::ffff:7f00:1]:{port}"),
    *("http://2130706433:{port}", "http://0x7f.1:{port}", "http://127.1:{port}", "http://0:{port}"),
    *("http://0.0.0.0:{port}", "http://10.0.0.1", "http://192.168.1.1", "http://100.64.0.1"),
    *("http://[fe80::1]", "http://[fd00::1]", "http://[64:ff9b::7f00:1]:{port}"),
    *("http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]"),
    *("http://user:pass@127.0.0.1:{port}", "http://127.0.0.1:{port}#@example.com"),
)


async def test_private_addresses_are_refused(tmp_path):
    """B-153, B-171: SSRF in all its spellings."""
    async with fetching(tmp_path, "openai", IMAGE_FETCH_ALLOW_PRIVATE="") as (sidecar, pictures):
        port = pictures.url.rpartition(":")[2]
        for url in PRIVATE:
            before, mark, fragment = url.format(port=port).partition("#")
            reply = await sidecar.call(chat(f"{before}/a.png{mark}{fragment}"))
            error = reply.json()["error"]
            assert (reply.status, error["param"]) == (400, "messages[1].content[1].image_url.url")
            codes = ["image_url_not_allowed", "invalid_image_url"]
            if "x.localhost" in url:  # there are resolvers that do not know it
                codes.append("image_fetch_failed")
            assert error["code"] in codes, (url, error)
        assert pictures.asked == []
        assert sidecar.asked == []


METADATA = (
    *("http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/"),
    *("http://[fd00:ec2::254]/", "http://0.0.0.0/"),
)


async def test_metadata_services_stay_closed(tmp_path):
    """B-153: `IMAGE_FETCH_ALLOW_PRIVATE` does not open them."""
    async with fetching(tmp_path, "openai") as (sidecar, _):
        for url in METADATA:
            reply = await sidecar.call(chat(url))
            code = reply.json()["error"]["code"]
            assert (reply.status, code) == (400, "image_url_not_allowed"), url


async def test_the_sidecar_does_not_ask_itself(tmp_path):
    """B-171: its own listener is never fetched, whatever is allowed."""
    async with fetching(tmp_path, "openai") as (sidecar, _):
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            reply = await sidecar.call(chat(f"http://{host}:{sidecar.address[1]}/health"))
            code = reply.json()["error"]["code"]
            assert (reply.status, code) == (400, "image_url_not_allowed"), host
        assert sidecar.asked == []


# What a picture's host is told


@pytest.mark.parametrize("name", ["x-image-fetch-referer", "x-image-referer"])
async def test_referer_of_the_call(tmp_path, name):
    """B-157, B-158, B-172: before the operator's own; and neither goes to the provider."""
    env = {"IMAGE_FETCH_REFERER": "https://default.test/", "IMAGE_FETCH_USER_AGENT": "looker/1"}
    async with fetching(tmp_path, "openai", "ollama", **env) as (sidecar, pictures):
        for dialect in ("openai", "ollama"):
            body = chat(f"{pictures.url}/a.png", model=f"m-{dialect}")
            assert (await sidecar.call(body)).status == 200
            assert pictures.last["referer"] == "https://default.test/"
            mine = (name, "https://mine.test/page?x=1")
            assert (await sidecar.call(body, headers=[mine])).status == 200
            assert pictures.last["referer"] == "https://mine.test/page?x=1"
            assert pictures.last["user-agent"] == "looker/1"
            sent = sidecar.provider(dialect).last.headers
            assert not {"referer", "x-image-fetch-referer", "x-image-referer"} & set(sent)


async def test_host_of_a_picture_learns_no_more(tmp_path):
    """B-154: no key, no cookie, no header of the client's."""
    async with fetching(tmp_path, "openai") as (sidecar, pictures):
        sent = [("authorization", "Bearer sk-of-the-client"), ("cookie", "a=b"), ("x-mine", "1")]
        assert (await sidecar.call(chat(f"{pictures.url}/a.png"), headers=sent)).status == 200
        assert set(pictures.last) == {"host", "user-agent", "accept", "accept-encoding"}
        assert pictures.last["user-agent"] == "wattline"


async def test_bad_referer_is_the_clients_mistake(tmp_path):
    async with fetching(tmp_path, "openai") as (sidecar, pictures):
        bad = ("x-image-fetch-referer", "x" * 3000)
        reply = await sidecar.call(chat(f"{pictures.url}/a.png"), headers=[bad])
        assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_referer")
        assert pictures.asked == []


@pytest.mark.parametrize("forward", ["", "true"])
async def test_forwarded_authorization(tmp_path, forward):
    """B-154: only where the operator said so, only over https."""
    ca = authority(tmp_path)
    env = {"IMAGE_FETCH_FORWARD_AUTH": forward}
    async with (
        fetching(tmp_path, "openai", **env) as (sidecar, plain),
        gallery(ca.server("127.0.0.1")) as safe,
    ):
        inlining = sidecar.sidecar.parts.calls.answers.attempts.inlining
        inlining.images = Images(listeners=Listeners(), tls=ca.client())
        sent = [("authorization", "Bearer sk-of-the-client")]
        for pictures in (plain, safe):
            reply = await sidecar.call(chat(f"{pictures.url}/a.png"), headers=sent)
            assert reply.status == 200, reply.body
        assert "authorization" not in plain.last
        assert safe.last.get("authorization") == ("Bearer sk-of-the-client" if forward else None)


# Time


async def test_slow_picture_holds_nobody_else(tmp_path):
    """B-171: other calls go on meanwhile, those with pictures too."""
    async with fetching(tmp_path, "openai") as (sidecar, pictures):
        waiting = [
            asyncio.ensure_future(sidecar.call(chat(f"{pictures.url}/slow?{number}")))
            for number in range(8)
        ]
        while len(pictures.asked) < 8:
            await asyncio.sleep(0.005)
        assert (await sidecar.call(chat())).status == 200
        assert (await sidecar.call(chat(f"{pictures.url}/a.png"))).status == 200
        assert not any(one.done() for one in waiting)
        pictures.hurry.set()
        assert {(await one).status for one in waiting} == {200}


async def test_a_client_that_leaves_ends_the_fetch(tmp_path):
    """Nothing is owed, nothing was sent."""
    async with fetching(tmp_path, "openai") as (sidecar, pictures):
        connection = await client(sidecar.address, REVERSE, None)
        body = json.dumps(chat(f"{pictures.url}/slow")).encode()
        pairs = [("host", "localhost"), ("content-type", "application/json")]
        await connection.send("POST", CHAT, pairs, body)
        while not pictures.asked:
            await asyncio.sleep(0.005)
        connection.abort()
        await asyncio.wait_for(pictures.left.wait(), 5)
        assert (await sidecar.call(chat())).status == 200
        assert len(sidecar.asked) == 1
    assert [row["state"] for row in rows(sidecar.state)] == ["complete"]


@pytest.mark.parametrize("count", [32, 33])
async def test_many_pictures(tmp_path, count):
    """B-171: a bound for a call."""
    async with fetching(tmp_path, "openai") as (sidecar, pictures):
        urls = [f"{pictures.url}/a.png?{number}" for number in range(count)]
        reply = await sidecar.call(chat(*urls))
        assert reply.status == (200 if count == 32 else 400)
        assert len(pictures.asked) == (32 if count == 32 else 0)


# Answers that are too large


HUGE = Saying(texts=("x" * 20_000,))


@pytest.mark.parametrize("stream", [False, True])
async def test_large_answer_that_must_be_translated_fails_over(tmp_path, stream):
    """`limits.answer_bytes`: it can't be passed on in parts; the next target is asked."""
    extra = "limits: {answer_bytes: 10000}\n"
    rule = ", adapt: [whole]" if stream else ""
    async with fleet(tmp_path, ("anthropic", "ollama"), extra=extra, rule=rule) as sidecar:
        sidecar.provider("anthropic").script(HUGE)
        reply = await sidecar.call(chat(model="chain", stream=stream))
        assert reply.status == 200, reply.body
        assert reply.headers["x-wattline-provider"] == "ollama"
    found = [(row["state"], row["error"]) for row in rows(sidecar.state)]
    assert found == [("failed", "answer_too_large"), ("complete", None)]


async def test_large_answer_of_ones_own_dialect_passes(tmp_path):
    """It needs no holding: it is passed on as it comes, and metered as far as it can be."""
    extra = "limits: {answer_bytes: 10000}\n"
    async with fleet(tmp_path, ("openai",), extra=extra) as sidecar:
        fake = sidecar.provider("openai")
        fake.script(HUGE)
        reply = await sidecar.call(chat())
        assert reply.clean
        assert reply.json()["choices"][0]["message"]["content"] == HUGE.texts[0]
    (row,) = rows(sidecar.state)
    assert (row["state"], row["source"]) == ("complete", "estimated")


@pytest.mark.slow
async def test_bound_of_a_translated_answer_by_default(tmp_path):
    """8 MiB when nothing else is said."""
    async with fleet(tmp_path, ("anthropic", "ollama")) as sidecar:
        sidecar.provider("anthropic").script(Saying(texts=("x" * (8 << 20),)))
        reply = await sidecar.call(chat(model="chain"))
        assert reply.headers["x-wattline-provider"] == "ollama"
        sidecar.provider("anthropic").script(Saying(texts=("x" * (7 << 20),)))
        reply = await sidecar.call(chat(model="chain"))
        assert reply.headers["x-wattline-provider"] == "anthropic"
