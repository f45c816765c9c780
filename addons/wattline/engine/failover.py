"""What a failed attempt means: another target, or the client's own mistake.

The next target is asked after anything that another provider may do better: no connection, no answer,
an answer that is none, 408, 429, 5xx, a refused key, an unknown model. Not after a request that is
wrong wherever it goes (400, 413, 422): that answer is the client's. An upstream's own words never
leave this file (A-157); an outcome has a code, and the codes are these:

* `http_<status>`; `context_length` for a refusal that the rule's `on` names;
* the codes of `upstream.base.Broken`;
* `inband_<word>` for an error inside a 200.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from wattline.engine.error_codes import codes_in
from wattline.engine.retry_after import retry_after
from wattline.engine.summary import Failure, summary
from wattline.rules.compiled.entrance import Limits
from wattline.rules.compiled.target import Target
from wattline.wire.http import Headers
from wattline.wire.piece import Mark, Piece

__all__ = [
    "Failure",
    "StartupHold",
    "Verdict",
    "judge_broken",
    "judge_inband",
    "judge_status",
    "says_too_long",
    "summary",
]

HOLD_EVENTS = 64
HOLD_BYTES = 256 * 1024
CONTEXT_LENGTH = "context_length"
DEFAULT_CAP = Limits().retry_after_cap

_READ = 4_096
"""Bytes of a body that are looked at: an API says at once what is wrong."""
_CREDENTIAL = frozenset({401, 402, 403})
_WAIT = frozenset({407, 408, 429})
"""407 is here since a client must not take an upstream's proxy question for ours."""
_TOO_LONG = frozenset({400, 413, 422})
_NO_QUOTA = "insufficient_quota"
_CREDENTIAL_WORDS = frozenset({"authentication", _NO_QUOTA})
"""`permission` is none: as with a 403 it may be about one model, or one prompt."""
_KEY_CODES = (
    "access_token",
    "api_key",
    "apikey",
    "authenticat",
    "billing",
    "consumer_",
    "credential",
    "deactivated",
    "quota",
    "revoked",
    "service_disabled",
    "suspended",
    "unsupported_country",
)
"""Parts of the codes by which a 403 says that the key, or the account, is what is refused."""
_CODE = re.compile(r"[a-z0-9_]{1,40}")

_CONTEXT_PHRASES = (
    b"context_length",
    b"context length",
    b"context window",
    b"context limit",
    b"prompt is too long",
    b"input is too long",
    b"maximum number of tokens",
    b"too many tokens",
)
_MISSING_MODEL = re.compile(
    rb"model_not_found|\bmodel\b.{0,200}?\b(?:not found|not exist|unknown|not available|not supported)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one failed attempt means. `next`: the next target may be tried; else the upstream's answer
    is the client's. `retry_after` is seconds; `message` is ours and safe to show.
    """

    next: bool
    code: str
    retry_after: float | None = None
    rest_credential: bool = False
    """The provider refused its key: no later call should send it for a while."""
    message: str = ""


def judge_status(
    status: int,
    headers: Headers,
    body_head: bytes,
    target: Target,
    on: AbstractSet[str],
    wall: float = 0.0,
    cap: float = DEFAULT_CAP,
) -> Verdict:
    """A status other than 2xx. `body_head` is the start of its body, `on` the rule's, `wall` seconds
    since 1970, `cap` the longest wait in seconds. Never raises.

    A redirect is never followed: it is a failure like 5xx.
    """
    name = target.provider.name
    code, message = f"http_{status}", f"{name} HTTP {status}"
    body = body_head[:_READ].lower()
    if status in _TOO_LONG and CONTEXT_LENGTH in on and says_too_long(body):
        message = f"{name}: the prompt is too long for it"
        return Verdict(next=True, code=CONTEXT_LENGTH, message=message)
    wait = retry_after(headers, wall, cap)
    no_quota = status == 429 and b"insufficient_quota" in body and _NO_QUOTA in codes_in(body_head)
    if status in _CREDENTIAL or no_quota:
        refused = target.provider.credential is not None and _refuses_key(status, body_head)
        return Verdict(
            next=True, code=code, retry_after=wait, rest_credential=refused, message=message
        )
    if _moves_on(status, body, target.model):
        return Verdict(next=True, code=code, retry_after=wait, message=message)
    return Verdict(next=False, code=code, message=message)


def judge_broken(code: str) -> Verdict:
    """No answer, or one that broke off before its first output. Never raises."""
    safe = _safe(code)
    return Verdict(next=True, code=safe, message=f"no answer ({safe})")


def judge_inband(word: str) -> Verdict:
    """An error that came with a 200, before any output. Never raises."""
    safe = _safe(word)
    return Verdict(
        next=True,
        code=f"inband_{safe}",
        rest_credential=safe in _CREDENTIAL_WORDS,
        message=f"an error inside a 200 ({safe})",
    )


class StartupHold:
    """How long the start of a stream is held back, so that an error in it can still fail over: until
    the first output, within bounds. The bound in time is the caller's.
    """

    __slots__ = ("_bytes", "_events")

    def __init__(self) -> None:
        self._events = 0
        self._bytes = 0

    def add(self, piece: Piece) -> bool:
        """Count a piece; True when what is held goes out now, this piece included."""
        self._events += 1
        self._bytes += len(piece.raw)
        if piece.mark is Mark.OUTPUT or piece.mark is Mark.END:
            return True
        return self._events >= HOLD_EVENTS or self._bytes >= HOLD_BYTES


def _refuses_key(status: int, body: bytes) -> bool:
    """The provider refused our key, not only this call: some answer 403 to a prompt that their moderation
    does not like or to a model that the key has no access to, and 402 to a call that asks for more tokens than the
    credit allows (https://openrouter.ai/docs/api-reference/errors). Such a call must not take the provider from all
    others, whatever is quoted of it.
    """
    if status == 402:
        return b"max_tokens" not in body[:_READ].lower()
    if status == 403:
        return any(part in code for code in codes_in(body) for part in _KEY_CODES)
    return True


def _moves_on(status: int, body: bytes, model: str) -> bool:
    """Another provider may do better."""
    if status == 404:
        # Without a JSON object, or an error in it, it comes from something that is not the API: a wrong base URL.
        is_api = body.lstrip().startswith(b"{") and b'"error"' in body
        return _names_model(body, model) or not is_api
    return status in _WAIT or not 200 <= status < 500 or 300 <= status < 400


def says_too_long(body: bytes) -> bool:
    """An error's body, in lower case, is about a prompt that is too long."""
    return any(phrase in body for phrase in _CONTEXT_PHRASES)


def _names_model(body: bytes, model: str) -> bool:
    """The body says that the model is not there, or names it as a word of its own."""
    if _MISSING_MODEL.search(body):
        return True
    name = re.escape(model.lower().encode("utf-8", "replace"))
    return bool(model) and re.search(rb"(?<![\w./-])" + name + rb"(?![\w/-])", body) is not None


def _safe(code: str) -> str:
    return code if _CODE.fullmatch(code) else "unknown"
