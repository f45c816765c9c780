"""The demo provider: an OpenAI-compatible server without a model, on a port of its own.

It serves the demo rules in the sidecar, and the tests as an upstream with every fault that real ones
have. Nothing that a client sends is answered back but in numbers (`echo_headers` apart, which only a
test can ask for).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aiohttp import web

from wattline.base.clock import Clock, SystemClock
from wattline.base.ids import hash_secret
from wattline.demo import audio, control, images, models
from wattline.demo.asked import Asked
from wattline.demo.body import Body, read_body
from wattline.demo.chance import Chance
from wattline.demo.chat import chat
from wattline.demo.check import Refused
from wattline.demo.completion import completion
from wattline.demo.embeddings import embeddings
from wattline.demo.faults import FaultError, Faults, parse
from wattline.demo.journal import Ended, Entry, Journal
from wattline.demo.kept import Kept
from wattline.demo.knobs import Knobs
from wattline.demo.listener import Listener
from wattline.demo.moderations import moderations
from wattline.demo.reply import Reply
from wattline.demo.rerank import rerank
from wattline.demo.script import Script
from wattline.demo.sender import Gate, Pace, Sender, Sleep
from wattline.demo.shapes import Moment

log = logging.getLogger("wattline.demo")

type Endpoint = Callable[[Asked], Reply]

EMBEDDINGS = "/v1/embeddings"
ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completion,
    EMBEDDINGS: embeddings,
    "/v1/moderations": moderations,
    "/v1/rerank": rerank,
    "/v1/audio/speech": audio.speech,
    "/v1/audio/transcriptions": audio.transcription,
    "/v1/audio/translations": audio.transcription,
    "/v1/images/generations": images.generation,
    "/v1/images/edits": images.edit,
    "/v1/images/variations": images.variation,
}
FAULT_HEADER = "x-demo-fault"


class DemoProvider:
    """`url = await provider.start()`, then `await provider.stop()`; it can be started again.

    `allow_faults` lets a request choose its fault with `x-demo-fault`, and makes the default journal
    keep headers and bodies: for tests only.
    """

    def __init__(
        self,
        knobs: Knobs | None = None,
        *,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        seed: int = 0,
        allow_faults: bool = False,
        journal: Journal | None = None,
        model_names: Sequence[str] = models.MODELS,
    ) -> None:
        self.knobs = Knobs.demo() if knobs is None else knobs
        self.journal = Journal(contents=allow_faults) if journal is None else journal
        self.url = ""
        """Such as `http://127.0.0.1:40123`; empty before the first start."""
        self._clock = SystemClock() if clock is None else clock
        self._pace = Pace(self._clock, sleep, lambda: self.knobs)
        self._chance = Chance(seed)
        self._script = Script()
        self._gate = Gate()
        self._allow_faults = allow_faults
        self._models = tuple(model_names)
        self._kept = Kept()
        self._endpoints: Mapping[str, Endpoint] = {
            **ENDPOINTS,
            "/v1/responses": self._kept.response,
            "/v1/videos": self._kept.video,
            "/v1/videos/generations": self._kept.video,
        }
        self._live: dict[object, Entry] = {}
        self._listener: Listener | None = None

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, ssl_context: ssl.SSLContext | None = None
    ) -> str:
        """Listen; port 0 takes any free one. `host` is an address, no name. Returns the URL without
        a path. Raises OSError.
        """
        if self._listener is not None:
            raise RuntimeError("the demo provider runs already")
        self._listener = await Listener.open(host, port, ssl_context, self._handle, self._gone)
        self.url = self._listener.url
        return self.url

    async def stop(self) -> None:
        """Stop listening and close every connection, whatever is going on. Idempotent."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        for entry in self._live.values():
            self.journal.end(entry, Ended.STOPPED, self._clock.monotonic())
        await listener.stop()
        self.journal.close()

    async def refuse(self) -> None:
        """Refuse new connections from now on, and close the idle ones."""
        if self._listener is not None:
            self._listener.refuse()
            self.close_idle()

    async def accept(self) -> None:
        """Listen again after `refuse`, on the same port."""
        if self._listener is not None:
            await self._listener.accept()

    def close_idle(self) -> None:
        """Close the connections that are kept open between two requests."""
        if self._listener is not None:
            self._listener.close_connections(but=self._live.__contains__)

    def script(
        self, faults: Sequence[str], *, model: str | None = None, path: str | None = None
    ) -> None:
        """One fault for each of the next calls (of that model, to that path). Raises FaultError."""
        self._script.add(faults, model=model, path=path)

    def always(self, fault: str, *, model: str | None = None, path: str | None = None) -> None:
        """What calls get that no script is left for; `"ok"` takes it back. Raises FaultError."""
        self._script.always(fault, model=model, path=path)

    def clear(self) -> None:
        """Forget scripts and `always`."""
        self._script.clear()

    @property
    def scripted(self) -> int:
        """How many scripted faults no call has met yet."""
        return self._script.left()

    def release(self) -> None:
        """Let every stalled answer go on."""
        self._gate.release()

    @property
    def live(self) -> int:
        """How many requests are being answered."""
        return len(self._live)

    def _gone(self, connection: object) -> None:
        """A connection is lost: at once, not when the next write fails."""
        if (entry := self._live.get(connection)) is not None:
            self.journal.end(entry, Ended.CLIENT_GONE, self._clock.monotonic())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        entry = self._open(request)
        connection = request.protocol
        self._live[connection] = entry
        sender = Sender(request, entry, self.journal, self._pace, self._gate)
        try:
            reply = await self._answer(request, entry)
            wanted = entry.path.startswith("/v1/") and entry.method == "POST"
            delay = self._chance.delay(self.knobs) if wanted else 0.0
            return await sender.send(reply, delay)
        finally:
            self._live.pop(connection, None)
            self.journal.end(entry, Ended.CLIENT_GONE, self._clock.monotonic())
            if self.knobs.logs:
                _log(entry)

    def _open(self, request: web.BaseRequest) -> Entry:
        entry = self.journal.open(
            at=self._clock.wall(),
            started=self._clock.monotonic(),
            method=request.method,
            path=request.path,
        )
        entry.attempt = request.headers.get("x-wattline-attempt")
        authorization = request.headers.get("authorization")
        entry.authorization_sha256 = authorization and hash_secret(authorization)
        if self.journal.contents:
            entry.headers = _header_list(request)
        return entry

    async def _answer(self, request: web.BaseRequest, entry: Entry) -> Reply:
        moment = Moment(self._clock.wall(), _header_list(request))
        try:
            body = await self._read(request, entry)
            faults = self._faults(request, entry)
            entry.fault = faults.spec if faults else None
            make = partial(self._make, request.method, entry, body, moment, faults)
            # Thousands of vectors take seconds: the loop belongs to everyone.
            slow = entry.path == EMBEDDINGS
            return await asyncio.to_thread(_encoded, make) if slow else make()
        except Refused as refused:
            return _refusal(refused)

    async def _read(self, request: web.BaseRequest, entry: Entry) -> Body:
        try:
            body = await read_body(request)
            entry.model = body.model
            if self.journal.contents:
                entry.body = body.raw
            return body
        finally:
            self.journal.received(entry)

    def _faults(self, request: web.BaseRequest, entry: Entry) -> Faults | None:
        """The request's own wish, else the script's, else chance's (for calls only)."""
        if self._allow_faults and (wish := request.headers.get(FAULT_HEADER)):
            try:
                return parse(wish)
            except FaultError as error:
                raise Refused(str(error), param=FAULT_HEADER) from None
        if not entry.path.startswith("/v1/"):
            return None
        planned = self._script.take(method=entry.method, model=entry.model, path=entry.path)
        if planned is None and entry.path in self._endpoints and entry.method == "POST":
            return self._chance.faults(self.knobs)
        return planned

    def _make(
        self, method: str, entry: Entry, body: Body, moment: Moment, faults: Faults | None
    ) -> Reply:
        """The reply with its faults. Raises Refused."""
        if faults is None:
            return self._reply(method, entry, body, None)
        reply = (
            Reply() if faults.replaces() else self._reply(method, entry, body, faults.words(moment))
        )
        faults.apply(reply, moment)
        return reply

    def _reply(self, method: str, entry: Entry, body: Body, words: str | None) -> Reply:
        if entry.path == control.PATH:
            return self._control(method, body)
        if (endpoint := self._endpoints.get(entry.path)) is None:
            return self._kept.answer(method, entry.path) or self._list_models(entry)
        _check_method(entry, ("POST",))
        return endpoint(
            Asked(
                number=entry.number,
                created=int(entry.at),
                body=body.fields(),
                file=body.file,
                words=words,
            )
        )

    def _control(self, method: str, body: Body) -> Reply:
        if method not in control.METHODS:
            raise _not_allowed(method, control.PATH)
        self.knobs = control.changed_knobs(method, body.raw, self.knobs)
        return Reply(self.knobs.as_dict())

    def _list_models(self, entry: Entry) -> Reply:
        prefix, _, name = entry.path.partition("/v1/models")
        if prefix or (name and not name.startswith("/")):
            raise Refused(f"Invalid URL ({entry.method} {entry.path[:100]})", status=404)
        _check_method(entry, ("GET",))
        if name.strip("/"):
            return models.one_model(name.strip("/"), int(entry.at))
        return models.list_models(self._models, int(entry.at))


def _encoded(make: Callable[[], Reply]) -> Reply:
    """The reply with its body as bytes, so that its JSON is made in the thread too."""
    reply = make()
    reply.claims = reply.usage()
    reply.body = reply.payload()
    return reply


def _refusal(refused: Refused) -> Reply:
    reply = Reply()
    reply.fail(
        refused.status,
        refused.message,
        kind="invalid_request_error",
        code=refused.code,
        param=refused.param,
    )
    return reply


def _check_method(entry: Entry, allowed: Sequence[str]) -> None:
    if entry.method not in allowed:
        raise _not_allowed(entry.method, entry.path)


def _not_allowed(method: str, path: str) -> Refused:
    return Refused(
        f"Not allowed to {method} on {path[:100]}. (HINT: Perhaps you meant to use a different "
        "HTTP method?)",
        status=405,
    )


def _header_list(request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in request.raw_headers
    )


def _log(entry: Entry) -> None:
    seconds = (entry.ended_at or entry.started) - entry.started
    log.info(
        "%s %s model=%r status=%s %s fault=%s tokens=%d+%d %.3fs",
        entry.method,
        entry.path,
        entry.model,
        entry.status,
        entry.ended,
        entry.fault,
        entry.prompt_tokens,
        entry.completion_tokens,
        seconds,
    )
