"""What the command line asks of a running sidecar: a line of JSON in, a line of JSON out. No I/O here.

A question is `{"verb": …}` with the verb's parameters. An answer is `{"ok": true, "result": …}`, or
`{"ok": false, "error": {"status", "code", "message"}}`. Amounts are energy, as text or whole numbers;
times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from wattline.base.errors import Fault, OurFault
from wattline.service.accounts.accounts import Accounts
from wattline.service.accounts.asked import Answer, Asked, Verb, wrong
from wattline.service.accounts.key_verbs import KEY_VERBS
from wattline.service.accounts.user_verbs import USER_VERBS
from wattline.service.importing.imports import Imports
from wattline.service.importing.rows import read_rows

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a question: a whole dialog that is imported fits into one."""

_VERBS: Mapping[str, Verb] = MappingProxyType({**KEY_VERBS, **USER_VERBS})

log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Control:
    """Answers questions about accounts. `imports` takes over what other gateways had; `caches` tells what broke
    providers' prompt caches.
    """

    def __init__(
        self,
        accounts: Accounts,
        imports: Imports | None = None,
        caches: Callable[[], Answer] | None = None,
    ) -> None:
        self._accounts = accounts
        self._imports = imports
        self._caches = caches

    async def handle(self, line: bytes) -> bytes:
        """The answer to a question, with a line feed. Total: a mistake is an answer too."""
        try:
            return _encode({"ok": True, "result": await self._answer(line)}) + b"\n"
        except Fault as fault:
            return _refusal(fault)
        except Exception:
            log.exception("a question of the command line failed")
            return _refusal(OurFault("wattline failed on this; the log has the details."))

    async def _answer(self, line: bytes) -> Answer:
        try:
            question = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise wrong("This is no JSON.") from None
        if not isinstance(question, dict):
            raise wrong("A question is an object.")
        verb = question.pop("verb", None)
        if verb == "import" and self._imports is not None:
            return await _import(self._imports, Asked(question))
        if verb == "cache" and self._caches is not None:
            return self._caches()
        work = _VERBS.get(verb) if isinstance(verb, str) else None
        if work is None:
            raise wrong(f"The verb is one of {', '.join(_VERBS)}.")
        asked = Asked(question)
        return await work(self._accounts, asked)


async def _import(imports: Imports, asked: Asked) -> Answer:
    """Rows of another gateway; with `dry`, only what would become of them."""
    what, found, dry = asked.any("what"), asked.any("rows"), asked.flag("dry")
    asked.end()
    outcomes = await imports.take(read_rows(what, found), dry=dry)
    return {"outcomes": msgspec.to_builtins(outcomes)}


def _refusal(fault: Fault) -> bytes:
    error = {"status": fault.status, "code": fault.code, "message": fault.message}
    return _encode({"ok": False, "error": error}) + b"\n"
