"""Sound through the sidecar: recordings that are transcribed, texts that are spoken, and what they cost.

With the shipped rules.yaml, whose DeepInfra and OpenAI are servers of this test.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import openai
import pytest

from kit.books import rows
from kit.clients import REVERSE, WAYS, Client, Reply, Way, client
from kit.processes import SidecarProcess
from kit.receivers import Receiver
from kit.sidecars import Running, running
from kit.sounds import (
    BOUNDARY,
    WHISPER,
    Sounds,
    form,
    held,
    pieces,
    sounding,
    told,
    wav,
)
from wattline.rules.load import load
from wattline.rules.packaged import packaged_rules
from wattline.store.audit import audit

TRANSCRIBE = "/v1/audio/transcriptions"
SPEAK = "/v1/audio/speech"
ENERGY = 1_000_000
MP3 = bytes(range(256)) * 64
HELLO = {"model": "tts-1", "input": "Hello world", "voice": "alloy"}
VERBOSE = {"task": "transcribe", "language": "english", "duration": 3.5, "text": "Hi"}


@dataclass
class Studio(Running):
    """A sidecar with the shipped rules. Its DeepInfra, OpenAI and GoAPI are ours."""

    deepinfra: Sounds
    openai: Sounds
    goapi: Sounds

    async def post(
        self,
        path: str,
        body: bytes,
        kind: str = "application/json",
        *,
        way: Way = REVERSE,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        async with self.asking(path, body, kind, way=way, headers=headers) as connection:
            async for _ in connection.pieces():
                pass
            return connection.reply

    @asynccontextmanager
    async def asking(
        self,
        path: str,
        body: bytes,
        kind: str = "application/json",
        *,
        way: Way = REVERSE,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> AsyncIterator[Client]:
        """The request is sent; what comes back is the block's to read."""
        connection = await client(self.address, way, self.ca)
        try:
            pairs = [("host", way.connect or "localhost"), ("content-type", kind), *headers]
            async with asyncio.timeout(20):
                await connection.send("POST", path, pairs, body)
                yield connection
        finally:
            connection.close()

    async def transcribe(
        self, file: bytes | None = None, *, way: Way = REVERSE, **fields: str
    ) -> Reply:
        body, kind = form(wav(3.5) if file is None else file, **{"model": "whisper-1", **fields})
        return await self.post(TRANSCRIBE, body, kind, way=way)

    async def speak(self, way: Way = REVERSE, **more: object) -> Reply:
        return await self.post(SPEAK, json.dumps({**HELLO, **more}).encode(), way=way)

    @property
    def row(self) -> dict:
        """The last attempt."""
        return rows(self.state)[-1]

    async def settled(self) -> dict:
        """The last attempt, once it is over."""
        async with asyncio.timeout(30):
            while self.row["state"] == "sent":
                await asyncio.sleep(0.005)
        return self.row

    def owed(self) -> list[tuple[str, str, float | None]]:
        """Provider, state and energy of each attempt."""
        return [
            (row["provider"], row["state"], row["energy"] and row["energy"] / ENERGY)
            for row in rows(self.state)
        ]


@asynccontextmanager
async def studio(tmp_path, *replace: tuple[str, str], extra: str = "", goapi: bool = False, **more):
    deepinfra = Sounds("sk-secret-of-deepinfra-01", "/v1/openai")
    original = Sounds("sk-secret-of-openai-00001")
    other = Sounds("sk-secret-of-goapi-000001")
    async with sounding(deepinfra, original, other):
        text = packaged_rules().read_text()
        for old, new in (("https://api.deepinfra.com/v1/openai", deepinfra.url), *replace):
            assert old in text
            text = text.replace(old, new)
        env = {
            "DEEPINFRA_API_KEY": deepinfra.key,
            "OPENAI_ORIGINAL_API_KEY": original.key,
            "OPENAI_ORIGINAL_BASE_URL": original.url,
        }
        if goapi:
            env |= {"GOAPI_API_KEY": other.key, "GOAPI_BASE_URL": other.url}
        env["DISABLE_PROVIDER_AUTO_DISABLE"] = "true"  # they fail many times in a row here
        async with running(tmp_path, 0, text=text + extra, env=env, **more) as found:
            yield Studio(found.sidecar, [], found.state, found.rules, deepinfra, original, other)


# Transcription


async def test_transcription_as_curl_sends_it(tmp_path):
    """A-031, A-032, A-117, B-028: `whisper-1` reaches DeepInfra under its name there, with the file as it
    is; 3.5 seconds are 53 energy."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told(VERBOSE))
        for way in WAYS:
            reply = await sidecar.transcribe(language="en", way=way)
            assert (reply.status, reply.json()) == (200, VERBOSE), way
            assert reply.headers["x-wattline-provider"] == "deepinfra"
            seen = sidecar.deepinfra.last
            assert (seen.path, seen.file) == ("/v1/openai/audio/transcriptions", wav(3.5))
            assert seen.fields == {
                "model": WHISPER,
                "language": "en",
                "file": None,
                "response_format": "verbose_json",
            }
    assert sidecar.owed() == [("deepinfra", "complete", 53)] * 3
    assert (sidecar.row["requested"], sidecar.row["model"]) == ("whisper-1", WHISPER)
    assert sidecar.row["operation"] == "transcription"


TOKENS = {"input_tokens": 14, "output_tokens": 1}
LENGTHS = (
    (VERBOSE, wav(2), 53, 3.5),
    ({"text": "Hi", "duration": "3.50"}, wav(2), 53, "3.50"),
    ({"text": "Hi", "usage": {"type": "duration", "seconds": 4}}, wav(2), 60, 4),
    ({"text": "Hi"}, wav(3.5), 53, 3.5),
    ({"text": "Hi", "duration": None}, wav(3.5), 53, None),
    ({"text": "Hi", "duration": -1}, wav(3.5), 53, -1),
    ({"text": "Hi", "usage": TOKENS}, wav(3.5), 53, 3.5),
    ({"text": "Hi", "duration": 3.5}, b"RIFF", 53, 3.5),
    ({"text": "", "duration": 0}, wav(1), 0, 0),
)


async def test_length_is_the_providers_word_or_the_files(tmp_path):
    """A-117, decision 3: rounded up once, at the end."""
    async with studio(tmp_path) as sidecar:
        for answer, file, energy, duration in LENGTHS:
            sidecar.deepinfra.script(told(answer))
            reply = await sidecar.transcribe(file)
            assert reply.json()["text"] == answer["text"]
            assert reply.json()["duration"] == duration, answer
            assert sidecar.owed()[-1] == ("deepinfra", "complete", energy), answer


async def test_answer_is_completed(tmp_path):
    """A-031: `{text, duration, language}` where the provider told the text alone; its bytes stay."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told(b'{ "text" : "Gr\\u00fc\xc3\x9fe" }\n'))
        reply = await sidecar.transcribe(language="de")
    assert reply.body == b'{ "text" : "Gr\\u00fc\xc3\x9fe","duration":3.5,"language":"de" }\n'


async def test_length_that_nobody_knows_is_priced_by_tokens(tmp_path):
    """The text's tokens are estimated, and the ledger says so."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told({"text": "x" * 400}))
        for file in (b"", b"not a recording", b"RIFF\xff\xff\xff\xffWAVEfmt "):
            reply = await sidecar.transcribe(file)
            assert "duration" not in reply.json()
            row = sidecar.row
            flags = (row["state"], row["source"], row["flags"])
            assert flags == ("complete", "estimated", '["no_usage"]')
            assert row["completion"] == 100
            assert row["energy"] == (row["prompt"] + 100) / 2 * 1.5 * ENERGY
        sidecar.deepinfra.script(told(("ü" * 400).encode(), kind="text/plain"))
        assert (await sidecar.transcribe(b"", response_format="text")).body == ("ü" * 400).encode()
        assert sidecar.row["completion"] == 100


FORMATS = {
    "text": (b"Hello\n", "text/plain; charset=utf-8"),
    "srt": (b"1\n00:00:00,000 --> 00:00:03,500\nHello\n\n", "application/x-subrip"),
    "vtt": (b"WEBVTT\n\n00:00.000 --> 00:03.500\nHello\n\n", "text/vtt"),
}


async def test_other_formats_pass_untouched(tmp_path):
    """A-031: bytes and type; the price is by the file's length."""
    async with studio(tmp_path) as sidecar:
        for wanted, (body, kind) in FORMATS.items():
            sidecar.deepinfra.script(told(body, kind=kind))
            reply = await sidecar.transcribe(response_format=wanted, language="en")
            assert (reply.body, reply.headers["content-type"]) == (body, kind)
            assert sidecar.deepinfra.last.fields["response_format"] == wanted
    assert sidecar.owed() == [("deepinfra", "complete", 53)] * 3


TRANSCRIPT = (
    b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n',
    b'data: {"type":"transcript.text.delta","delta":"lo"}\n\n',
    b'data: {"type":"transcript.text.done","text":"Hello","usage":%b}\n\n'
    % b'{"type":"tokens","input_tokens":14,"output_tokens":2,"total_tokens":16}',
)


async def test_streamed_transcription(tmp_path):
    """Events come as they are told, the last one with its energy."""
    more = asyncio.Event()
    async with studio(tmp_path) as sidecar:
        first, *rest = TRANSCRIPT
        sidecar.deepinfra.script(pieces(first, more, *rest, kind="text/event-stream"))
        body, kind = form(wav(3.5), model="whisper-1", stream="true")
        async with sidecar.asking(TRANSCRIBE, body, kind) as connection:
            stream = connection.pieces()
            assert await anext(stream) == first
            more.set()
            async for _ in stream:
                pass
        assert connection.reply.clean
        *deltas, done = connection.reply.events
        assert "".join(event["delta"] for event in deltas) == done["text"] == "Hello"
        assert done["usage"]["energy"] == 53
    assert sidecar.owed() == [("deepinfra", "complete", 53)]
    assert (sidecar.row["prompt"], sidecar.row["completion"]) == (14, 2)


async def test_stream_that_the_provider_does_not_do_is_a_whole_answer(tmp_path):
    """OpenAI's whisper-1 ignores `stream`."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told(VERBOSE))
        reply = await sidecar.transcribe(stream="true")
        assert (reply.status, reply.json()) == (200, VERBOSE)
    assert sidecar.owed() == [("deepinfra", "complete", 53)]


async def test_transcription_fails_over_with_the_same_file(tmp_path):
    """A-070: OpenAI gets the file from its start, under its own name, without DeepInfra's fields."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told({"error": {"message": "busy"}}, 503))
        sidecar.openai.script(told({"text": "Hi", "usage": {"type": "duration", "seconds": 4}}))
        reply = await sidecar.transcribe(language="en")
        assert reply.status == 200
        assert reply.json()["usage"] == {
            "type": "duration",
            "seconds": 4,
            "energy": 60,
            "estimated": True,
        }
        seen = sidecar.openai.last
        assert (seen.file, seen.filename) == (wav(3.5), "a.wav")
        assert seen.fields == {"model": "whisper-1", "language": "en", "file": None}
    assert sidecar.owed() == [("deepinfra", "failed", None), ("openai", "complete", 60)]


async def test_transcript_that_is_none_fails_over(tmp_path):
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(told({"text": "Hi"}))
        for bad in (b"", b"<html>", b'{"error": {"message": "x"}}', b"{"):
            sidecar.deepinfra.script(told(bad))
            assert (await sidecar.transcribe()).json()["text"] == "Hi", bad
    assert sidecar.owed() == [("deepinfra", "failed", None), ("openai", "complete", 53)] * 4


async def test_translation_is_priced_the_same(tmp_path):
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(told({"text": "Hi"}))
        body, kind = form(wav(3.5), model="whisper-1")
        reply = await sidecar.post("/v1/audio/translations", body, kind)
        assert reply.json() == {"text": "Hi", "duration": 3.5}
        assert sidecar.deepinfra.last.path == "/v1/openai/audio/translations"
    assert sidecar.owed() == [("deepinfra", "complete", 53)]


async def test_hold_is_by_the_files_length(tmp_path):
    """While the call is under way the ledger holds what the recording costs."""
    answer = asyncio.Event()
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(held(answer, told({"text": "Hi", "duration": 2})))
        calling = asyncio.ensure_future(sidecar.transcribe())
        while not sidecar.deepinfra.requests:
            await asyncio.sleep(0.005)
        row = sidecar.row
        assert (row["state"], row["estimate_energy"], row["hold"]) == (
            "sent",
            53 * ENERGY,
            53 * ENERGY,
        )
        answer.set()
        await calling
        assert (sidecar.row["estimate_energy"], sidecar.row["energy"]) == (53 * ENERGY, 30 * ENERGY)


@pytest.mark.parametrize(
    ("replace", "energy"),
    [
        (("per_second: 15", "per_second: 0.1"), 1),
        (("per_second: 15", "per_second: '2'"), 7),
        (
            (
                "name: openai/whisper-large-v3-turbo",
                "name: openai/whisper-large-v3-turbo\n    per_second: 100",
            ),
            350,
        ),
    ],
)
async def test_rate_of_a_second_is_configuration(tmp_path, replace, energy):
    """A-121: for all, or for one model."""
    async with studio(tmp_path, replace) as sidecar:
        sidecar.deepinfra.script(told(VERBOSE))
        assert (await sidecar.transcribe()).status == 200
    assert sidecar.owed() == [("deepinfra", "complete", energy)]


async def test_a_client_that_leaves_owes_its_recording(tmp_path):
    """The provider has it and goes on."""
    async with studio(tmp_path) as sidecar:
        sidecar.deepinfra.script(held(asyncio.Event(), told(VERBOSE)))
        body, kind = form(wav(3.5), model="whisper-1")
        async with sidecar.asking(TRANSCRIBE, body, kind) as connection:
            while not sidecar.deepinfra.requests:
                await asyncio.sleep(0.005)
            connection.abort()
            while not sidecar.deepinfra.last.gone:
                await asyncio.sleep(0.005)
    assert sidecar.owed() == [("deepinfra", "aborted", 53)]


async def test_the_sdk_transcribes(tmp_path):
    """A-031: whole, verbose, as text and streamed, by the official client."""
    async with studio(tmp_path) as sidecar, sdk(sidecar) as ai:
        made = ai.audio.transcriptions
        file = ("a.wav", wav(3.5), "audio/wav")
        sidecar.deepinfra.script(told({"text": "Hi"}))
        plain = await made.create(model="whisper-1", file=file, language="en")
        assert (plain.text, plain.duration, plain.language) == ("Hi", 3.5, "en")
        sidecar.deepinfra.script(told(VERBOSE))
        verbose = await made.create(model="whisper-1", file=file, response_format="verbose_json")
        assert verbose.duration == 3.5
        granular = await made.create(
            model="whisper-1",
            file=file,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        assert granular.text == "Hi"
        sidecar.deepinfra.script(told(*FORMATS["srt"][:1], kind=FORMATS["srt"][1]))
        assert await made.create(model="whisper-1", file=file, response_format="srt") == (
            FORMATS["srt"][0].decode()
        )
        sidecar.deepinfra.script(pieces(*TRANSCRIPT, kind="text/event-stream"))
        events = [e async for e in await made.create(model="whisper-1", file=file, stream=True)]
        assert [event.type for event in events][-1] == "transcript.text.done"
        sidecar.deepinfra.script(told({"text": "Hi"}))
        with pytest.deprecated_call():  # by the SDK's word
            translated = await ai.audio.translations.create(model="whisper-1", file=file)
        assert translated.text == "Hi"
    assert sidecar.owed() == [("deepinfra", "complete", 53)] * 6


BIG = 300_000_000
CD = 176_400
"""Bytes of a second of a compact disc."""


def cd(size: int):
    """A form with a WAV file of `size` bytes of sound, in blocks."""
    head = bytearray(wav(0))
    head[22:24] = (2).to_bytes(2, "little")
    head[24:28] = (44_100).to_bytes(4, "little")
    head[28:32] = CD.to_bytes(4, "little")
    head[32:36] = bytes((4, 0, 16, 0))
    head[4:8] = (36 + size).to_bytes(4, "little")
    head[40:44] = size.to_bytes(4, "little")
    body, _ = form(bytes(head), model="whisper-1")
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    yield body.removesuffix(end)
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        yield block
    yield block[: size & (1 << 20) - 1]
    yield end


@pytest.mark.slow
async def test_length_of_300_mb_is_found_without_holding_them(tmp_path):
    """A-009, A-117, A-186: the file's head is read, the rest only passed on."""
    async with Receiver() as upstream:
        path = tmp_path / "rules.yaml"
        text = packaged_rules().read_text()
        path.write_text(text.replace("https://api.deepinfra.com/v1/openai", upstream.url))
        env = {"DEEPINFRA_API_KEY": "sk-secret-of-deepinfra-01"}
        process = SidecarProcess(path, tmp_path / "state", env)
        await process.start()
        try:
            first = await send(process.address, 3 << 20)
            assert first.json() == {"text": "it arrived", "duration": round((3 << 20) / CD, 6)}
            idle = peak = process.resident()
            sending = asyncio.ensure_future(send(process.address, BIG))
            while not sending.done():
                peak = max(peak, process.resident())
                await asyncio.wait([sending], timeout=0.01)
            assert (await sending).json()["duration"] == round(BIG / CD, 6)
            assert peak - idle < 60 << 20, f"{(peak - idle) >> 20} MiB over idle"
        finally:
            await process.stop()
    assert [row["energy"] for row in rows(tmp_path / "state")] == [
        268 * ENERGY,
        25_511 * ENERGY,
    ]
    assert audit(tmp_path / "state" / "ledger.sqlite").ok


async def send(address, size) -> Reply:
    connection = await client(address, REVERSE, None)
    length = sum(map(len, cd(size)))
    connection.writer.write(
        f"POST {TRANSCRIBE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; "
        f"boundary={BOUNDARY}\r\ncontent-length: {length}\r\n\r\n".encode()
    )
    for block in cd(size):
        connection.writer.write(block)
        await connection.writer.drain()
    async with asyncio.timeout(30):
        async for _ in connection.pieces():
            pass
    connection.close()
    return connection.reply


# Speech


@asynccontextmanager
async def sdk(sidecar):
    host, port = sidecar.address
    async with openai.AsyncOpenAI(
        base_url=f"http://{host}:{port}/v1", api_key="sk-none", max_retries=0
    ) as found:
        yield found


async def test_speech(tmp_path):
    """A-033, A-034, A-118, B-027: the provider's bytes, a name for the file, 5.5 rounded up to 6."""
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3[:1000], MP3[1000:]))
        for way in WAYS:
            reply = await sidecar.speak(way)
            assert (reply.status, reply.body, reply.clean) == (200, MP3, True), way
            assert reply.headers["content-type"] == "audio/mpeg"
            assert reply.headers["content-disposition"] == 'attachment; filename="speech.mp3"'
            assert reply.headers["x-token-cost"] == "6"
            assert sidecar.openai.last.fields == HELLO
    assert sidecar.owed() == [("openai", "complete", 6)] * 3
    assert sidecar.row["estimate_energy"] == 6 * ENERGY


async def test_speech_goes_to_goapi_first(tmp_path):
    """A-035"""
    async with studio(tmp_path, goapi=True) as sidecar:
        sidecar.goapi.script(pieces(MP3))
        assert (await sidecar.speak()).body == MP3
    assert sidecar.owed() == [("goapi", "complete", 6)]


async def test_speech_is_heard_while_it_is_made(tmp_path):
    """A-033: what the provider has said is with the client before it says more, however little: all but
    the last byte, which waits for the ledger."""
    async with studio(tmp_path) as sidecar:
        for way in WAYS:
            more, end = asyncio.Event(), asyncio.Event()
            sidecar.openai.script(pieces(MP3[:7], more, MP3[7:9], end, MP3[9:]))
            async with sidecar.asking(SPEAK, json.dumps(HELLO).encode(), way=way) as connection:
                stream = connection.pieces()
                heard = await anext(stream)
                assert heard == MP3[:6]
                more.set()
                while len(heard) < 8:
                    heard += await anext(stream)
                assert heard == MP3[:8]
                end.set()
                async for data in stream:
                    heard += data
            assert heard == MP3
            assert connection.reply.clean


async def test_file_is_named_for_its_format(tmp_path):
    """A-034"""
    async with studio(tmp_path) as sidecar:
        for wanted in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
            sidecar.openai.script(pieces(MP3, kind=f"audio/{wanted}"))
            reply = await sidecar.speak(response_format=wanted)
            assert reply.headers["content-type"] == f"audio/{wanted}"
            name = f'attachment; filename="speech.{wanted}"'
            assert reply.headers["content-disposition"] == name


async def test_headers_of_the_provider_give_way_to_ours(tmp_path):
    """A provider may be a gateway with prices of its own."""
    theirs = {"x_token_cost": "99", "content_disposition": "inline", "x_other": "kept"}
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3, **theirs))
        host, port = sidecar.address
        reader, writer = await asyncio.open_connection(host, port)
        body = json.dumps(HELLO).encode()
        head = f"POST {SPEAK} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        writer.close()
    assert [line for line in lines if line.startswith("x-token-cost")] == ["x-token-cost: 6"]
    assert [line for line in lines if line.startswith("content-disposition")] == [
        'content-disposition: attachment; filename="speech.mp3"'
    ]
    assert "x-other: kept" in lines


async def test_price_is_by_characters(tmp_path):
    """A-118: code points, spaces included, rounded up once."""
    texts = {"x": 1, "ab": 1, "abc": 2, "Grüße \U0001f30d": 4, "a" * 4096: 2048}
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3))
        for text, energy in texts.items():
            assert (await sidecar.speak(input=text)).headers["x-token-cost"] == str(energy)
            assert sidecar.owed()[-1] == ("openai", "complete", energy)


@pytest.mark.parametrize(
    ("replace", "energy"),
    [
        (("per_character: 0.5", "per_character: 0.25"), 3),
        (("per_character: 0.5", "per_character: 0"), 0),
        (("  tts-1:\n", "  tts-1:\n    per_character: 2\n"), 22),
    ],
)
async def test_rate_of_a_character_is_configuration(tmp_path, replace, energy):
    """A-121"""
    async with studio(tmp_path, replace) as sidecar:
        sidecar.openai.script(pieces(MP3))
        assert (await sidecar.speak()).headers["x-token-cost"] == str(energy)
    assert sidecar.owed() == [("openai", "complete", energy)]


def test_shipped_timeouts():
    """A-181: speech is given 30 seconds. A-182: a transcription what every call is."""
    env = {
        "OPENAI_ORIGINAL_API_KEY": "x",
        "GOAPI_API_KEY": "x",
        "GOAPI_BASE_URL": "https://go.test/v1",
    }
    env |= {"DEEPINFRA_API_KEY": "x"}
    book = load(packaged_rules().read_bytes(), env=env)
    (speech, *others), (whisper, *_) = book.models["tts-1"], book.models["whisper-1"]
    assert [target.timeouts and target.timeouts.total for target in (speech, *others)] == [30, 30]
    assert whisper.timeouts is None


async def test_speech_that_takes_too_long_is_asked_for_elsewhere(tmp_path):
    """A-181: after its own seconds, not those of other calls."""
    entry = "tts-1_go: {provider: goapi, name: tts-1, timeouts: {total: %s}}"
    async with studio(tmp_path, (entry % 30, entry % 0.5), goapi=True) as sidecar:
        never = asyncio.Event()
        sidecar.goapi.script(pieces(never, MP3))
        sidecar.openai.script(pieces(MP3))
        reply = await sidecar.speak()
        assert (reply.status, reply.body) == (200, MP3)
        never.set()
    assert sidecar.owed() == [("goapi", "failed", None), ("openai", "complete", 6)]
    assert rows(sidecar.state)[0]["error"] == "total_timeout"


SSE = (
    b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n',
    b'data: {"type":"speech.audio.delta","audio":"BBBB"}\n\n',
    b'data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n',
)


async def test_speech_as_events(tmp_path):
    """`stream_format: sse`: each event as it comes, the last one with its energy."""
    more = asyncio.Event()
    async with studio(tmp_path) as sidecar:
        first, *rest = SSE
        sidecar.openai.script(pieces(first, more, *rest, kind="text/event-stream"))
        body = json.dumps({**HELLO, "stream_format": "sse"}).encode()
        async with sidecar.asking(SPEAK, body) as connection:
            stream = connection.pieces()
            assert await anext(stream) == first
            more.set()
            async for _ in stream:
                pass
        reply = connection.reply
        assert reply.clean
        assert reply.headers["content-type"] == "text/event-stream"
        assert [event.get("audio") for event in reply.events] == ["AAAA", "BBBB", None]
        assert reply.events[-1]["usage"]["energy"] == 6
    assert sidecar.owed() == [("openai", "complete", 6)]


async def test_provider_without_events_answers_with_sound(tmp_path):
    """OpenAI's tts-1 does not do `sse`."""
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3))
        reply = await sidecar.speak(stream_format="sse")
        assert (reply.body, reply.headers["content-type"]) == (MP3, "audio/mpeg")
    assert sidecar.owed() == [("openai", "complete", 6)]


NO_SPEECH = {
    "error in 200": told({"error": {"message": "no voice"}}),
    "json": told({"ok": True}),
    "empty json": told(b""),
    "empty": told(b"", kind="audio/mpeg"),
    "no piece": pieces(),
    "cut": pieces(None),
    "html": told(b"<html>gateway</html>", kind="text/html"),
    "text": told(b"queued", kind="text/plain"),
    "events": pieces(*SSE, kind="text/event-stream"),
    "500": told({"error": {"message": "no"}}, 500),
    "429": told({"error": {"message": "no"}}, 429),
}


async def test_speech_that_is_none_fails_over(tmp_path):
    """A-070: nothing of it reaches the client, nothing is owed for it."""
    async with studio(tmp_path, goapi=True) as sidecar:
        sidecar.openai.script(pieces(MP3))
        for name, bad in NO_SPEECH.items():
            sidecar.goapi.script(bad)
            reply = await sidecar.speak()
            assert (reply.status, reply.body) == (200, MP3), name
    failed = [("goapi", "failed", None), ("openai", "complete", 6)]
    assert sidecar.owed() == failed * len(NO_SPEECH)


async def test_speech_that_breaks_off(tmp_path):
    """What came is with the client, its connection is not ended as if that were all; it is owed."""
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3[:100], MP3[100:200], None))
        for way in WAYS:
            reply = await sidecar.speak(way)
            assert reply.status == 200
            assert not reply.clean, way
            assert reply.body == MP3[:199]
    assert sidecar.owed() == [("openai", "truncated", 6)] * 3
    assert sidecar.row["error"] == "cut"


async def test_a_client_that_stops_listening_owes_the_text(tmp_path):
    """Once it could be heard, all characters are owed: the provider was given all of them."""
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(MP3[:100], asyncio.Event()))
        for way in WAYS:
            async with sidecar.asking(SPEAK, json.dumps(HELLO).encode(), way=way) as connection:
                await anext(connection.pieces())
                connection.abort()
                while not sidecar.openai.last.gone:
                    await asyncio.sleep(0.005)
            await sidecar.settled()
    assert sidecar.owed() == [("openai", "aborted", 6)] * 3


async def test_a_client_that_leaves_before_the_first_sound_owes_nothing(tmp_path):
    never = asyncio.Event()
    async with studio(tmp_path) as sidecar:
        for number, waiting in enumerate((pieces(never), held(never, pieces())), 1):
            sidecar.openai.script(waiting)
            async with sidecar.asking(SPEAK, json.dumps(HELLO).encode()) as connection:
                while len(sidecar.openai.requests) < number:
                    await asyncio.sleep(0.005)
                connection.abort()
                while not sidecar.openai.last.gone:
                    await asyncio.sleep(0.005)
            await sidecar.settled()
    assert sidecar.owed() == [("openai", "aborted", 0)] * 2


async def test_speech_at_a_provider_with_defaults_for_transcripts(tmp_path):
    """DeepInfra's `response_format` in the shipped rules is one of transcripts."""
    changed = ("  tts-1:\n    provider: openai\n", "  tts-1:\n    provider: deepinfra\n")
    async with studio(tmp_path, changed) as sidecar:
        sidecar.deepinfra.script(pieces(MP3))
        assert (await sidecar.speak()).body == MP3
        assert sidecar.deepinfra.last.fields == HELLO


async def test_key_in_the_sound_does_not_pass(tmp_path):
    """A provider that echoes its key, cut at any place."""
    key = b"sk-secret-of-openai-00001"
    async with studio(tmp_path) as sidecar:
        sidecar.openai.script(pieces(b"abc" + key[:9], key[9:] + b"def"))
        assert (await sidecar.speak()).body == b"abc[redacted]def"


async def test_the_sdk_speaks(tmp_path):
    """A-033: whole and streamed, by the official client."""
    async with studio(tmp_path) as sidecar, sdk(sidecar) as ai:
        more = asyncio.Event()
        sidecar.openai.script(pieces(MP3))
        made = await ai.audio.speech.create(model="tts-1", voice="alloy", input="Hello world")
        assert made.content == MP3
        sidecar.openai.script(pieces(MP3[:300], MP3[300:600], more, MP3[600:]))
        async with ai.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="Hello world"
        ) as response:
            assert response.headers["x-token-cost"] == "6"
            heard = b""
            async for data in response.iter_bytes():
                heard += data
                more.set()
            assert heard == MP3
    assert sidecar.owed() == [("openai", "complete", 6)] * 2


# Large answers


async def test_sound_is_not_bounded_by_what_is_held_whole(tmp_path):
    """Only what has to be held is bounded by `limits.answer_bytes`."""
    block = bytes(range(256)) * 256
    async with studio(tmp_path, extra="\nlimits: {answer_bytes: 10000}\n") as sidecar:
        sidecar.openai.script(pieces(*[block] * 50))
        reply = await sidecar.speak()
        assert reply.body == block * 50
    assert sidecar.owed() == [("openai", "complete", 6)]
