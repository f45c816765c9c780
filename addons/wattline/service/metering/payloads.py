"""What `LOG_SENSITIVE_PAYLOADS` adds to the log: whole URLs and the beginnings of bodies (B-134).

For debugging only: prompts come into the log. Keys don't, as far as their shape gives them away.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from wattline.base.settings import read_flag
from wattline.service.exchange import Attempt, Exchange

VARIABLE: Final = "LOG_SENSITIVE_PAYLOADS"
MAX_BYTES: Final = 2_048
"""Of a body that are shown."""
HOUR: Final = 3_600.0
WARNING: Final = (
    "LOG_SENSITIVE_PAYLOADS is on: prompts, answers and URLs are written to the log. "
    "Switch it off as soon as you have found what you look for."
)
_SECRET_NAME: Final = re.compile(r"key|token|secret|auth|sig|pass|credential", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx|r8|ghp|gho|github_pat|key)[-_][A-Za-z0-9_-]{12,}"
    r"|AIza[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+|\b[0-9a-fA-F]{32,}\b"
    r"|(?<=[Bb]earer )[^\s\"']{8,}"
)
_SECRET_MEMBER: Final = re.compile(
    r'("[^"\\]{0,40}(?:key|token|secret|password|credential)[^"\\]{0,40}"\s*:\s*")[^"]*',
    re.IGNORECASE,
)

log = logging.getLogger("wattline.payloads")


class Payloads:
    """Writes at level info, whatever it is asked for."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Payloads | None:
        """None unless the environment asks for it. Raises SettingsError."""
        return cls() if read_flag(env, VARIABLE) else None

    async def warn(self) -> None:
        """Say so now and every hour, until cancelled."""
        while True:
            log.warning("%s", WARNING)
            await asyncio.sleep(HOUR)

    def asked(self, exchange: Exchange) -> None:
        """What a client sent."""
        request, body = exchange.request, exchange.body
        url = f"{request.scheme}://{request.host}:{request.port}{hidden_query(request.path)}"
        shown = snippet(body) if isinstance(body, bytes) else "an upload"
        log.info("%s asked: %s %s %s", request.id, request.method, url, shown)

    def refused(self, exchange: Exchange, attempt: Attempt, status: int, body: bytes) -> None:
        """What a provider refused a call with."""
        provider = attempt.target.provider
        url = f"{provider.origin}{provider.base_path}"
        log.info(
            "%s attempt %d: %s at %s answered %d: %s",
            exchange.call.id,
            attempt.number,
            attempt.target,
            url,
            status,
            snippet(body),
        )


def snippet(body: bytes) -> str:
    """The beginning of a body without what looks like a key."""
    text = body[:MAX_BYTES].decode("utf-8", "replace")
    text = _SECRET.sub("[redacted]", _SECRET_MEMBER.sub(r"\1[redacted]", text))
    more = len(body) - MAX_BYTES
    return f"{text} … {more} bytes more" if more > 0 else text


def hidden_query(target: str) -> str:
    """A target whose query has no value that is a secret by its name or its shape."""
    path, mark, query = target[:MAX_BYTES].partition("?")
    pairs = [_hidden(pair) for pair in query.split("&")]
    return _SECRET.sub("[redacted]", path) + mark + "&".join(pairs)


def _hidden(pair: str) -> str:
    name, mark, value = pair.partition("=")
    if _SECRET_NAME.search(unquote_plus(name)):
        return f"{name}{mark}[redacted]"
    return f"{name}{mark}{_SECRET.sub('[redacted]', value)}"
