"""A completion in a user's dialog: the history goes along, question and answer are added to it (A-022).

Rules of this file. A dialog has one completion at a time. Nothing is added before the answer came to its
good end; then the question and the answer are one statement, and the client's last bytes wait for it. What
comes of the call itself (who pays, which windows, which provider) is `service.answers`', as for any call.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from wattline.base.errors import Fault
from wattline.dialects.base import Route
from wattline.dialects.json_text import dumps
from wattline.engine.failover import says_too_long
from wattline.rules.book import Book
from wattline.service.answers import Answers
from wattline.service.dialogs.context import oldest_kept, shorter, trimmed
from wattline.service.dialogs.dialogs import Dialogs
from wattline.service.dialogs.transcript import Transcript
from wattline.service.dialogs.turns import Turn
from wattline.store.dialogs import Message
from wattline.wire.call import Operation
from wattline.wire.http import Head, Items, Request, Whole

log = logging.getLogger("wattline.dialogs")

ROUTE: Final = Route("assistant", Operation.CHAT, "/chat/completions")
NOT_KEPT: Final = ("x-wattline-dialog", "not-kept")
"""A header of an answer that could not be added to its dialog."""
_TOO_LONG: Final = frozenset({400, 413, 422, 500})
"""500 is what all providers together say, each of them with its reason."""

type Make = Callable[[bytes], Request]
"""A request of its own for each body, in the name of the dialog's user."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in a dialog. `options` are members of a chat request that go along as they are."""

    user: str
    model: str
    content: str = field(repr=False)
    system: str | None = field(default=None, repr=False)
    """None: the user's own, if there is one. An empty text is none at all."""
    stream: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Completions:
    """Answers questions in dialogs. `book` gives the rules of the moment."""

    answers: Answers
    dialogs: Dialogs
    book: Callable[[], Book]

    async def answer(self, question: Question, make: Make) -> Items:
        """A head and pieces, or one whole answer. Raises Fault before anything else, and `Truncated`."""
        rules = self.book().dialogs
        async with self.dialogs.turns.turn(question.user, rules.waiting) as turn:
            dialog = await self.dialogs.read(question.user)
            system = dialog.system if question.system is None else question.system
            kept = trimmed(dialog.messages, question.content, system, rules)
            said = _Said(question, turn, oldest_kept(dialog.messages, kept))
            items = self._tried(said, make, system, kept)
            async with aclosing(items), aclosing(self._kept(said, items)) as answer:
                async for item in answer:
                    yield item

    async def _tried(
        self, said: _Said, make: Make, system: str | None, context: Sequence[Message]
    ) -> Items:
        """The answer; when it was too much for the model, that to a question with half of the history."""
        last = not context
        async with aclosing(self._asked(said, make, system, context)) as items:
            async for item in items:
                if not last and isinstance(item, Whole) and too_long(item):
                    break
                yield item
            else:
                return
        log.info("the dialog of %s is too long for its model: half of it is tried", said.user)
        async with aclosing(self._asked(said, make, system, shorter(context))) as items:
            async for item in items:
                yield item

    def _asked(
        self, said: _Said, make: Make, system: str | None, context: Sequence[Message]
    ) -> Items:
        request = make(body_of(said.question, system, context))
        return self.answers.answer(request, ROUTE)

    async def _kept(self, said: _Said, items: AsyncIterator[Head | Whole | bytes]) -> Items:
        """The items, the last of them after the dialog has its messages."""
        transcript = said.transcript
        held: list[bytes] = []
        async for item in items:
            if isinstance(item, Head):
                yield item
            elif isinstance(item, Whole):
                yield await self._whole(said, item)
            else:
                transcript.take(item)
                if transcript.done:
                    held.append(item)
                else:
                    yield item
        if transcript.done:
            await self._keep(said)
        for item in held:
            yield item

    async def _whole(self, said: _Said, answer: Whole) -> Whole:
        if not 200 <= answer.status < 300:
            return answer
        said.transcript.take(answer)
        if await self._keep(said):
            return answer
        return Whole(answer.status, (*answer.headers, NOT_KEPT), answer.body)

    async def _keep(self, said: _Said) -> bool:
        """An answer that was paid for is given, kept or not."""
        text = said.transcript.text
        if not text:
            return True
        messages = (Message("user", said.question.content), Message("assistant", text))
        try:
            await self.dialogs.add(said.user, said.turn, messages, said.first)
        except Fault as fault:
            log.error("the dialog of %s misses an answer: %s", said.user, fault.code)  # noqa: TRY400
            return False
        return True


@dataclass(slots=True)
class _Said:
    """One turn. `first`: what is older is forgotten with it."""

    question: Question
    turn: Turn
    first: int
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def user(self) -> str:
        return self.question.user


def body_of(question: Question, system: str | None, context: Sequence[Message]) -> bytes:
    """A chat request."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": message.role, "content": message.content} for message in context]
    messages.append({"role": "user", "content": question.content})
    body = {**question.options, "model": question.model, "messages": messages}
    if question.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return dumps(body)


def too_long(answer: Whole) -> bool:
    """It says that the conversation is more than the model can take."""
    return answer.status in _TOO_LONG and says_too_long(answer.body.lower())
