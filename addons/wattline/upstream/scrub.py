"""Known secrets in upstream answers become `[redacted]`: a provider that echoes a request must not
hand its key to the client.
"""

from __future__ import annotations

import re

REDACTED = b"[redacted]"


def scrub(data: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """`data` without the secrets: the leftmost first, of several at one place the longest. Empty
    secrets are ignored.
    """
    for secret in secrets:
        if secret and secret in data:
            return _pattern(secrets).sub(REDACTED, data)
    return data


def _pattern(secrets: tuple[bytes, ...]) -> re.Pattern[bytes]:
    longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    return re.compile(b"|".join(map(re.escape, longest_first)))


class Scrubber:
    """The same over pieces: what `feed` returns, joined, and then `end`, is `scrub` of the whole.

    Only a tail that could begin a secret is held back (less than the longest secret), so that an
    event that ends in something else goes out at once.
    """

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._pattern = _pattern(self._secrets)
        self._inside = frozenset(b"".join(secret[:-1] for secret in self._secrets))
        """Bytes with which a beginning of a secret can end."""
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What of this piece, and of what was held back, can go out now."""
        if not piece:
            return b""
        data = self._held + piece if self._held else piece
        if data[-1] not in self._inside:
            self._held = b""
            return scrub(data, self._secrets)
        return self._split(data)

    def end(self) -> bytes:
        """What was still held back: the answer is over."""
        held, self._held = self._held, b""
        return scrub(held, self._secrets)

    def _split(self, data: bytes) -> bytes:
        """Redact whole secrets from the left until a tail is left that may be a secret's beginning."""
        out: list[bytes] = []
        position = 0
        while True:
            tail = self._tail(data, position)
            match = self._pattern.search(data, position)
            if match is None or match.start() >= tail:
                break
            out += data[position : match.start()], REDACTED
            position = match.end()
        out.append(data[position:tail])
        self._held = data[tail:]
        return b"".join(out)

    def _tail(self, data: bytes, position: int) -> int:
        """Where, from `position`, the longest tail begins that begins a secret; len(data): nowhere."""
        begin = len(data)
        for secret in self._secrets:
            first = secret[:1]
            start = data.find(first, max(position, len(data) - len(secret) + 1))
            while 0 <= start < begin:
                if secret.startswith(data[start:]):
                    begin = start
                else:
                    start = data.find(first, start + 1)
        return begin
