"""Which conversation a call is of: a name that its client gave it, or a hash of the start of its prompt."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from wattline.dialects.blocks import blocks, stable_prefix
from wattline.engine.meter import estimate_tokens
from wattline.engine.prompt_cache import Block
from wattline.rules.book import Book
from wattline.rules.compiled.upkeep import AffinityRules
from wattline.service.large import is_large
from wattline.service.metering.prompt_caches import Prompted
from wattline.wire.call import Call, Operation

MOST_BLOCKS: Final = 2_000
"""Of a prompt that are told apart; what comes after them is not looked at."""
OPERATIONS: Final = frozenset({Operation.CHAT, Operation.RESPONSES, Operation.COMPLETION})
"""Calls whose prompts providers keep."""


class Conversations:
    """Names conversations. The hashes are keyed with a secret of this process: they say nothing elsewhere."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = os.urandom(16) if secret is None else secret

    async def told(self, call: Call, value: Mapping[str, Any], body: object, book: Book) -> Call:
        """The call with its conversation, where a rule that may take it asks for that. `value` is the parsed
        body.
        """
        if call.operation not in OPERATIONS or not _asked(call, book):
            return call
        if is_large(body):
            named = await asyncio.to_thread(self.name, call, value, book.affinity)
        else:
            named = self.name(call, value, book.affinity)
        return call if named is None else replace(call, conversation=named)

    async def prompted(
        self, call: Call, value: Mapping[str, Any], body: object, book: Book
    ) -> Prompted | None:
        """The blocks of its prompt, where the rules ask for that."""
        if call.operation not in OPERATIONS:
            return None
        if is_large(body):
            return await asyncio.to_thread(self._prompted, call, value, book.affinity)
        return self._prompted(call, value, book.affinity)

    def _prompted(
        self, call: Call, value: Mapping[str, Any], rules: AffinityRules
    ) -> Prompted | None:
        found: list[Block] = []
        first = b""
        for block in islice(blocks(value), MOST_BLOCKS):
            text = block.text
            if not first and block.kind == "message" and block.role == "user":
                first = text
            digest = blake2b(text, key=self._secret, digest_size=12).digest()
            tokens = estimate_tokens(len(text))
            found.append(Block(block.kind, block.index, block.role, digest, tokens))
        if not found:
            return None
        # One session may have several agents, each with a prompt of its own.
        said = self._named(call, value, rules) or "first"
        name = f"{said.partition(' ')[0]} {self._hash([said.encode(), first])}"
        return Prompted(name, tuple(found))

    def name(self, call: Call, value: Mapping[str, Any], rules: AffinityRules) -> str | None:
        """Where the name comes from, and a hash: `prefix 1f…`. None for what can't be told."""
        if (named := self._named(call, value, rules)) is not None or not rules.prefix:
            return named
        found = list(stable_prefix(value))
        return f"prefix {self._hash(block.text for block in found)}" if found else None

    def _named(self, call: Call, value: Mapping[str, Any], rules: AffinityRules) -> str | None:
        """By what its client calls it."""
        for header in rules.headers:
            if sent := call.headers.get(header):
                return f"{header} {self._hash([sent.encode('utf-8', 'surrogatepass')])}"
        for source, said in _said(value):
            if isinstance(said, str) and said:
                return f"{source} {self._hash([said.encode('utf-8', 'surrogatepass')])}"
        return None

    def _hash(self, parts: Iterable[bytes]) -> str:
        digest = blake2b(key=self._secret, digest_size=12)
        for part in parts:
            digest.update(b"%d:" % len(part))
            digest.update(part)
        return digest.hexdigest()


def _asked(call: Call, book: Book) -> bool:
    if book.affinity.enabled:
        return True
    return any(rule.affinity for _, rule in book.candidates(call.model))


def _said(value: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """OpenAI's and Anthropic's own names."""
    yield "prompt_cache_key", value.get("prompt_cache_key")
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        yield "metadata.user_id", metadata.get("user_id")
