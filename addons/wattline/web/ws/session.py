"""One WebSocket at `/ws`: its messages read one by one, its requests answered side by side.

Rules of this file. A bad message is answered and costs nothing else, until there were too many. Whatever
way the connection ends, each request on it has ended before `run` returns.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from starlette.types import Message

from wattline.base.errors import ClientFault, Fault
from wattline.base.tasks import spawn
from wattline.dialects.frames import inference
from wattline.dialects.frames.asked import (
    Ask,
    Auth,
    BadFrame,
    Beat,
    Intent,
    Leave,
    Manage,
    Name,
    Ping,
    Speech,
    Watch,
    read_frame,
)
from wattline.dialects.frames.chat import AUTH_OK, PONG
from wattline.dialects.frames.trouble import of_fault
from wattline.dialects.json_text import dumps
from wattline.service.accounts.auth import authenticate
from wattline.service.accounts.entitlement import still_let_in
from wattline.service.entrance.guesses import identity
from wattline.service.entrance.visitor import Visitor
from wattline.service.parting import shutting_down
from wattline.web.sockets import OpenSocket
from wattline.web.ws import faults
from wattline.web.ws.inside import Inside
from wattline.web.ws.operating import Operating, Refused
from wattline.web.ws.parts import ChatParts
from wattline.web.ws.request import Shown, request_of
from wattline.web.ws.talk import Gone, Talk
from wattline.web.ws.work import Work
from wattline.wire.call import LOCAL, Principal
from wattline.wire.http import Ending
from wattline.wire.websocket import NORMAL

POLICY_VIOLATION: Final = 1008
"""RFC 6455, 7.4.1."""
IN_FLIGHT: Final = 16
"""Requests of one connection that are answered side by side; those after them wait in their order."""
MAX_OPEN: Final = 64
"""Requests of one connection, those that wait included."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes of their bodies together."""
MAX_BAD: Final = 20
"""Bad messages, and wrong keys, after the last good request."""
KEY_SECONDS: Final = 30.0
"""Until a key was shown, where one is needed."""

type _Key = tuple[Speech, Name]


class Session:
    """See the module. `headers` are those of the upgrade."""

    def __init__(
        self,
        parts: ChatParts,
        socket: OpenSocket,
        visitor: Visitor,
        headers: list[tuple[bytes, bytes]],
        inside: Inside,
    ) -> None:
        self._parts = parts
        self._socket = socket
        self._visitor = visitor
        self._headers = headers
        self._talk = Talk(socket)
        self._operating = Operating(inside, self._talk, self._who, admin=parts.admin)
        self._caller: Principal | None = visitor.principal
        self._works: dict[_Key, Work] = {}
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._bad = 0
        self._speech: Speech | None = None
        self._timers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until either side closes."""
        self._socket.farewell = self._shut_down
        self._timer(self._wait_for_key(), "wait for a key")
        try:
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                await self._hear(message)
        except Gone:
            pass
        finally:
            self._operating.stop()
            for timer in self._timers:
                timer.cancel()
            await self._end_all(Ending.CLIENT_GONE)

    async def _shut_down(self) -> None:
        """The sidecar stops: requests end with an error, each of them settled."""
        await self._end_all(Ending.SHUTDOWN)

    async def _end_all(self, reason: Ending) -> None:
        works = list(self._works.values())
        for work in works:
            work.end(reason)
        tasks = [work.task for work in works if work.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    async def _hear(self, message: Message) -> None:
        """One message. Raises Gone."""
        try:
            await self._do(self._read(message))
        except BadFrame as bad:
            await self._refuse(bad.fault, bad.speech, bad.name)
            await self._count_bad()

    async def _operate(self, intent: Manage | Watch) -> None:
        """Raises Gone."""
        try:
            if isinstance(intent, Manage):
                await self._operating.manage(intent)
            else:
                await self._operating.watch(intent)
        except Refused as refused:
            await self._talk.say([refused.trouble.chat(intent.name)])
            await self._count_bad()
        else:
            self._bad = 0

    def _who(self) -> Visitor:
        """The caller as it is now. Raises ClientFault."""
        parts, caller = self._parts, self._caller or LOCAL
        request = request_of(self._visitor, self._headers, caller, b"")
        request = still_let_in(request, parts.current, parts.book().auth)
        return Visitor(request.id, self._visitor.peer, request.principal)

    def _read(self, message: Message) -> Intent:
        text = message.get("text")
        if not isinstance(text, str):
            raise BadFrame(faults.not_text())
        return read_frame(text, self._parts.book().limits.json_depth)

    async def _do(self, intent: Intent) -> None:
        if isinstance(intent, Auth):
            self._caller = self._authenticate(intent)
            await self._talk.say([AUTH_OK])
        elif not self._let_in():
            raise BadFrame(faults.key_needed(), *_sender(intent))
        elif isinstance(intent, Ask):
            await self._ask(intent)
        elif isinstance(intent, Manage | Watch):
            await self._operate(intent)
        elif isinstance(intent, Ping):
            await self._talk.say([PONG])
        elif isinstance(intent, Beat):
            self._speaks_inference()
            await self._talk.say([self._heartbeat()])
        elif isinstance(intent, Leave):
            self._speech = Speech.INFERENCE
            await self._close(NORMAL, intent.reason)

    def _authenticate(self, intent: Auth) -> Principal:
        """Who has the key. Raises BadFrame with `invalid_api_key`, or `too_many_attempts`."""
        try:
            return self._known(intent.key)
        except ClientFault as fault:
            raise BadFrame(fault, Speech.CHAT) from None

    def _known(self, key: str) -> Principal:
        """Raises ClientFault."""
        parts, peer = self._parts, self._visitor.peer
        auth, shown, guesses = parts.book().auth, Shown(key), parts.guesses
        try:
            found = authenticate(auth, shown, proxy=False, find=parts.keys, read=parts.tokens)
        except ClientFault:
            if guesses is not None:
                guesses.wrong(auth, peer, (key,))
            raise
        if guesses is not None and found is not LOCAL:
            guesses.admit(auth, peer, identity(found))
        return found

    def _let_in(self) -> bool:
        """In open mode nobody needs a key; that mode may have ended since the connection began."""
        if self._caller is None or self._caller is LOCAL:
            return self._parts.book().auth.mode == "open"
        return True

    async def _ask(self, ask: Ask) -> None:
        self._bad = 0
        if ask.speech is Speech.INFERENCE:
            self._speaks_inference()
        request = request_of(self._visitor, self._headers, self._caller or LOCAL, dumps(ask.body))
        key = ask.speech, request.id if ask.name is None else ask.name
        if key in self._works:
            # Its id is left out: the error would be taken for the end of the request that has it.
            raise BadFrame(faults.taken(), ask.speech)
        full = self._full(len(request.body))
        if full is not None:
            await self._refuse(full, ask.speech, ask.name)
            return
        work = self._works[key] = Work(self._parts, self._talk, ask, request)
        work.task = spawn(self._run(key, work), name=f"{request.id} of a WebSocket")

    def _full(self, size: int) -> Fault | None:
        """Why another request can't be taken."""
        if self._socket.closing:
            return shutting_down()
        held = sum(work.size for work in self._works.values())
        if len(self._works) < MAX_OPEN and (held + size <= MAX_BYTES or not held):
            return None
        return faults.too_many(len(self._works))

    async def _run(self, key: _Key, work: Work) -> None:
        with self._socket.work():
            try:
                await work.run(self._slots)
            finally:
                del self._works[key]

    async def _refuse(self, fault: Fault, speech: Speech | None, name: Name | None) -> None:
        trouble = of_fault(fault)
        if speech is Speech.CHAT:
            await self._talk.say([trouble.chat(name)])
        elif speech is Speech.INFERENCE:
            await self._talk.say([trouble.inference(name)])
        else:
            await self._talk.say([trouble.either()])

    async def _count_bad(self) -> None:
        self._bad += 1
        if self._bad >= MAX_BAD:
            await self._close(POLICY_VIOLATION, "too many bad messages")

    async def _close(self, code: int, reason: str) -> None:
        """Requests end first, as those of a client that has gone; nothing is read any more after it."""
        await self._end_all(Ending.CLIENT_GONE)
        if self._speech is Speech.INFERENCE:
            await self._talk.say([inference.close(reason, code)])
        await self._talk.end(code, reason)

    # Time.

    def _timer(self, work: Any, name: str) -> None:
        self._timers.append(spawn(work, name=name))

    def _speaks_inference(self) -> None:
        """From the first message of that protocol on the client hears heartbeats."""
        if self._speech is None:
            self._speech = Speech.INFERENCE
            self._timer(self._beat(), "heartbeats of a WebSocket")

    def _heartbeat(self) -> bytes:
        return inference.heartbeat(round(self._parts.clock.wall() * 1000))

    async def _beat(self) -> None:
        with contextlib.suppress(Gone):
            while True:
                await asyncio.sleep(self._parts.policy.heartbeat)
                await self._talk.say([self._heartbeat()])

    async def _wait_for_key(self) -> None:
        if not self._let_in():
            await asyncio.sleep(KEY_SECONDS)
        if not self._let_in():
            await self._talk.end(POLICY_VIOLATION, "no key was sent")


def _sender(intent: Intent) -> tuple[Speech | None, Name | None]:
    """Whose message it is, as far as it says."""
    if isinstance(intent, Ask):
        return intent.speech, intent.name
    return (Speech.CHAT, intent.name) if isinstance(intent, Manage | Watch) else (None, None)
