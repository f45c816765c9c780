"""How a call crosses to one target: in its client's own bytes, or written anew in the target's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wattline.dialects.base import Answer, Dialect, StreamReader
from wattline.dialects.bridge import Bridge, bridge_to
from wattline.dialects.codec import BadReply, ClientCodec
from wattline.dialects.codecs import ProviderSide, client_codec, provider_side
from wattline.dialects.crossing import TEXT, native
from wattline.dialects.history import alternating, for_deepseek_reasoner, without_system
from wattline.dialects.lead import Lead
from wattline.dialects.openai.misplaced import with_choices
from wattline.dialects.translation import TranslatingReader, translated, unfolded
from wattline.rules.compiled.target import AS_ASKED, Target
from wattline.wire.call import Call, Operation
from wattline.wire.piece import Piece
from wattline.wire.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Passage:
    """One way to a target and back. `client` and `side` are None for calls that can't be translated."""

    dialect: Dialect
    """The client's."""
    client: ClientCodec | None = None
    side: ProviderSide | None = None
    foreign: bool = False
    """The target speaks another dialect, so that its answers are translated."""
    retold: bool = False
    """So are its errors: a client's dialect may differ from the target's in these alone."""
    bridge: Bridge | None = None
    """The way of a call for vectors or an order of texts, in place of `client` and `side`."""
    provider: str | None = None
    """The target's, by its name in the rules."""
    adapt: frozenset[str] = frozenset()
    """What a target needs in another way; the prompt is written anew for it."""
    model: str | None = None
    """The target's, which stands in where an answer names none (C-071); None: the one that was asked for."""
    at: int | None = None
    """Unix time of the attempt: what an answer is dated by where its provider tells no time."""
    lead: Lead | None = None
    """The beginning of the answer, where the target is to go on with it."""
    own: bool = False
    """With `lead`: the target takes the client's own fields, its messages and limit of tokens apart."""
    whole: bool = False
    """The target is asked for a whole answer, and a client that wants a stream gets one made of it."""

    @property
    def rewrites(self) -> bool:
        """The prompt is written anew; else it is the client's own bytes, or `bridge` writes them."""
        return self.bridge is None and (self.foreign or bool(self.adapt))

    def reader(self, call: Call) -> StreamReader:
        """A fresh reader for one stream of the target."""
        if not self.foreign or self.bridge is not None:
            return self.dialect.reader(call)
        assert self.client is not None  # noqa: S101  (foreign has both)
        assert self.side is not None  # noqa: S101
        assert self.side.streaming is not None  # noqa: S101  (else it is asked for a whole answer)
        encoder = self.client.encoder(self._answered(call))
        return TranslatingReader(self.side.streaming.decoder(), encoder, self.at)

    def read_answer(self, call: Call, body: bytes) -> tuple[Answer, bytes]:
        """What a whole answer says, and the same in the client's dialect."""
        if self.bridge is not None:
            return self.bridge.read_answer(body)
        if not self.foreign or self.client is None or self.side is None:
            if native(call.dialect) == "openai":
                body = with_choices(call, body, self.model)
            return self.dialect.read_answer(call, body), body
        codec, named = self.side.codec, self._answered(call)
        return translated(codec, self.client, named, body, self.provider, self.at)

    def unfold(self, call: Call, body: bytes) -> list[Piece]:
        """A whole answer as the client's stream. Raises BadReply, ReplyError."""
        if self.client is None or self.side is None:
            raise BadReply
        reply = self.side.codec.read_reply(body)
        return unfolded(self.client, reply, self._answered(call), self.at)

    def _answered(self, call: Call) -> Call:
        return call if self.model is None else replace(call, model=self.model)

    def adapted(self, prompt: Prompt, call: Call) -> Prompt:
        """The prompt as the target needs it (A-056, A-057, A-058)."""
        if "no_system" in self.adapt:
            prompt = without_system(prompt)
        if "reasoner" in self.adapt:
            prompt = for_deepseek_reasoner(prompt)
        elif "alternate" in self.adapt:
            prompt = alternating(prompt)
        if self.lead is not None:
            prompt = self.lead.led(prompt)
        return replace(prompt, stream=call.stream and not self.whole)


def passage_to(
    target: Target,
    call: Call,
    dialect: Dialect,
    adapt: frozenset[str],
    body: Mapping[str, Any],
) -> Passage:
    """The way of a call to a target; `adapt` are the rule's changes, `body` what the client sent, parsed.
    Raises ClientFault where that can't be read for another dialect.
    """
    provider = target.provider
    retold = provider.dialect != call.dialect
    model = None if target.model in (AS_ASKED, call.model) else target.model
    if call.operation not in TEXT:
        bridge = bridge_to(provider.dialect, provider.origin.host, call, body)
        return Passage(dialect, foreign=bridge is not None, retold=retold, bridge=bridge)
    adapt = adapt | provider.adapt | target.adapt
    foreign = provider.dialect != native(call.dialect) or (
        call.operation is Operation.RESPONSES and not provider.responses
    )
    unchanged = not foreign and not adapt - {"whole"}
    if unchanged and not (adapt and call.stream):
        return Passage(dialect, retold=retold, model=model)
    side = provider_side(provider.dialect, provider.origin.host)
    return Passage(
        dialect,
        client_codec(call.dialect, call.operation),
        side,
        foreign=foreign,
        retold=retold,
        provider=provider.name,
        model=model,
        adapt=frozenset() if unchanged and call.operation is Operation.CHAT else adapt,
        whole="whole" in adapt or side.streaming is None,
    )


def continuing_passage(
    target: Target, call: Call, dialect: Dialect, adapt: frozenset[str], lead: Lead
) -> Passage | None:
    """The way of a call to a target that is to go on with its answer: its messages are always written anew, and its
    answer translated. None where the target has none.
    """
    provider = target.provider
    adapt = adapt | provider.adapt | target.adapt
    side = provider_side(provider.dialect, provider.origin.host)
    client = client_codec(call.dialect, call.operation)
    if client is None or side.streaming is None or "whole" in adapt:
        return None
    return Passage(
        dialect,
        client,
        side,
        foreign=True,
        retold=provider.dialect != call.dialect,
        provider=provider.name,
        adapt=adapt,
        lead=lead,
        own=provider.dialect == native(call.dialect) and not adapt and not provider.inline_images,
    )
