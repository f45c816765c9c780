"""What may be fetched when pictures are inlined: the `IMAGE_FETCH_*` settings (B-150 to B-158)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wattline.base.settings import SettingsError
from wattline.upstream.addresses import BadHost, read_host

MIB = 1024 * 1024
MAX_TIMEOUT_MS = 300_000
MAX_BYTES = 256 * MIB
MAX_REDIRECTS = 20
PREFIX = "IMAGE_FETCH_"
REFERER_HEADERS = ("x-image-fetch-referer", "x-image-referer")
"""Of a call (B-172); the first that is there counts."""

_SIZE = re.compile(r"([0-9]{1,12}) ?(|[kmg]i?b|b)", re.IGNORECASE)
_UNITS = ("b", "k", "m", "g")
_HEADER_TEXT = re.compile(r"[\x20-\x7e]{1,2048}")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Bounds and permissions of a fetch.

    `timeout` is in seconds, for one picture with all its redirects; `max_bytes` for one picture.
    `allowed_hosts` empty allows every host. In it `example.com` is that host only, `.example.com` also
    all hosts under it, `*.example.com` only those under it. It never allows an address that is not
    public: that takes `allow_private`, which does not open the clouds' metadata services.
    """

    timeout: float = 15.0
    max_bytes: int = 8 * MIB
    max_redirects: int = 3
    allow_private: bool = False
    allowed_protocols: frozenset[str] = _SCHEMES
    allowed_hosts: tuple[str, ...] = ()
    user_agent: str = "wattline"
    referer: str | None = None
    forward_auth: bool = False
    """The client's Authorization goes to the host that the URL names, over https, never further."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ImagePolicy:
        """The policy of `IMAGE_FETCH_*`; a variable that is missing or empty leaves the default.

        Raises SettingsError naming the variable.
        """
        read = _Reader(env)
        default = cls()
        return cls(
            timeout=read.whole("TIMEOUT_MS", 1, MAX_TIMEOUT_MS, 15_000) / 1000,
            max_bytes=read.size("MAX_BYTES", default.max_bytes),
            max_redirects=read.whole("MAX_REDIRECTS", 0, MAX_REDIRECTS, default.max_redirects),
            allow_private=read.flag("ALLOW_PRIVATE"),
            allowed_protocols=read.protocols("ALLOWED_PROTOCOLS"),
            allowed_hosts=read.hosts("ALLOWED_HOSTS"),
            user_agent=read.header("USER_AGENT") or default.user_agent,
            referer=read.header("REFERER"),
            forward_auth=read.flag("FORWARD_AUTH"),
        )

    def allows_host(self, host: str) -> bool:
        """Whether a host (a lower-case name, or an address in its usual spelling) may be asked."""
        return not self.allowed_hosts or any(_matches(entry, host) for entry in self.allowed_hosts)


def referer_of(headers: Mapping[str, str]) -> str | None:
    """The Referer that a call asks for, by its headers' lower-case names."""
    found = (headers.get(name) for name in REFERER_HEADERS)
    return next((text for text in found if text), None)


def is_header_text(text: str) -> bool:
    """Whether a text can be a header's value: visible ASCII and spaces, at most 2048."""
    return _HEADER_TEXT.fullmatch(text) is not None


def _matches(entry: str, host: str) -> bool:
    if entry.startswith("*"):
        return host.endswith(entry[1:])
    if entry.startswith("."):
        return host == entry[1:] or host.endswith(entry)
    return host == entry


class _Reader:
    """Reads variables by their name after the prefix."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str) -> str:
        return self._env.get(PREFIX + name, "").strip()

    def words(self, name: str) -> list[str]:
        words = (word.strip().lower() for word in self.text(name).split(","))
        return list(dict.fromkeys(word for word in words if word))

    def wrong(self, name: str, wanted: str) -> SettingsError:
        return SettingsError(f"{PREFIX}{name} is {self.text(name)[:100]!r}; it must be {wanted}")

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
            return int(text)
        raise self.wrong(name, f"a whole number from {least} to {most}")

    def size(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        found = _SIZE.fullmatch(text)
        if found is not None:
            unit = (found[2] or "b")[0].lower()
            size = int(found[1]) << 10 * _UNITS.index(unit)
            if 0 < size <= MAX_BYTES:
                return size
        raise self.wrong(name, f"bytes, or a size such as 8MB, up to {MAX_BYTES // MIB}MB")

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text in _TRUE:
            return True
        if not text or text in _FALSE:
            return False
        raise self.wrong(name, "true or false")

    def protocols(self, name: str) -> frozenset[str]:
        words = {word.removesuffix(":") for word in self.words(name)}
        if not words <= _SCHEMES:
            raise self.wrong(name, "http, https, or both with a comma between them")
        return frozenset(words) or _SCHEMES

    def hosts(self, name: str) -> tuple[str, ...]:
        found = [_host_pattern(word) for word in self.words(name)]
        patterns = tuple(pattern for pattern in found if pattern is not None)
        if len(patterns) < len(found) or (self.text(name) and not found):
            raise self.wrong(name, "hosts such as example.com or .example.com, with commas")
        return patterns

    def header(self, name: str) -> str | None:
        text = self.text(name)
        if text and not is_header_text(text):
            raise self.wrong(name, "at most 2048 characters of plain ASCII")
        return text or None


def _host_pattern(word: str) -> str | None:
    prefix = next((mark for mark in ("*.", ".") if word.startswith(mark)), "")
    try:
        return prefix + str(read_host(word.removeprefix(prefix)))
    except BadHost:
        return None
