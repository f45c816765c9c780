"""Reading JSON that comes from outside, and finding the bytes of its members.

`read_object` refuses whatever two parsers could read in two ways (duplicate keys, NaN, byte order
marks, lone surrogates in keys), so that what a rule looked at is what the upstream will read. Its
errors never show more of a body than one key.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

import msgspec

from wattline.base.errors import ClientFault
from wattline.base.numeral import Numeral

MAX_DIGITS = 4300
"""Digits of one integer; Python's own bound."""
MAX_CONTAINERS = 500_000
"""Objects and arrays in one body: each costs some 100 bytes of memory for 2 bytes of text."""
MAX_ITEMS = 500_000
"""Members of all objects and elements of all arrays, together: a parser takes none apart from the next, and
while it reads, nothing else goes on."""
MAX_MEMBERS = 65_536
"""Members of one object."""
SHOWN_KEY = 64

_STRING = r'"(?:[^"\\]++|\\.)*+"?'
_OUTSIDE = re.compile(rb'[^"]++|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A stretch between strings, or a string."""
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_FORM = re.compile(rb"\s*+--[^\r\n]{1,200}\r?\nContent-", re.IGNORECASE)
"""The first part of a form: its boundary, then a header of it."""
_TOKEN = re.compile(_STRING + r"|[\[\]{}]|[-+.\w]+", re.DOTALL)
_NAMED = re.compile(rb'"[ \t\n\r]*+:')
"""A colon after a quote."""
_QUOTE = ord('"')
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_BOMS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")


class _DuplicateKey(Exception):
    """`args[0]` is the key."""


class _NotFinite(Exception):
    """`args[0]` is the number as it was written."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return value


def _finite(literal: str) -> float:
    return _checked(float(literal), literal)


def _as_written(literal: str) -> Numeral:
    return _checked(Numeral(literal), literal)


def _checked[Number: float](value: Number, literal: str) -> Number:
    if value - value != 0:
        raise _NotFinite(literal)
    return value


def _constant(literal: str) -> NoReturn:
    raise _NotFinite(literal)


_LENIENT = msgspec.json.Decoder()
_DECODER = JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_constant)
_EXACT = JSONDecoder(object_pairs_hook=_unique, parse_float=_as_written, parse_constant=_constant)


def read_object(raw: bytes, *, max_depth: int, exact: bool = False) -> dict[str, Any]:
    """The JSON object in `raw`, nested at most `max_depth` deep (the object itself is 1). `exact`: its numbers
    with a point or an exponent are `Numeral`s. It takes longer.

    Raises ClientFault 400 with the code `invalid_json`, `duplicate_key`, `not_finite`, `too_deep`,
    `too_many_items`, `not_an_object` or `invalid_encoding`.
    """
    large = len(raw) > MAX_CONTAINERS
    if large:
        _check_items(raw)
    brackets = raw.count(b"{") + raw.count(b"[") if large else 0
    quick = None if exact or brackets > MAX_CONTAINERS else _quick(raw, max_depth)
    if quick is not None:
        return quick
    if large:
        _check_members(raw)
    text = _decode(raw)
    brackets = raw.count(b"{") + raw.count(b"[")
    if brackets > MAX_CONTAINERS:
        _check_containers(text)
    value = _parse(text, max_depth, _EXACT if exact else _DECODER)
    if not isinstance(value, dict):
        raise ClientFault(
            "The body is JSON, but not an object. Send an object: {…}.", code="not_an_object"
        )
    if brackets > max_depth and _deeper(value, max_depth):
        raise _too_deep(text, max_depth)
    if b"\\u" in raw and _SURROGATE_ESCAPE.search(raw):
        _check_keys(value)
    return value


def _quick(raw: bytes, max_depth: int) -> dict[str, Any] | None:
    """The same value for a part of the time, or None when it takes a closer look.

    Each member has a colon after a quote; a string can only bring more of them. So when there are as
    many as the value has keys, no key was given twice.
    """
    try:
        value = _LENIENT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if type(value) is not dict:
        return None
    keys = _keys(value, max_depth)
    if keys is not None and keys > MAX_MEMBERS and _crowded(value):
        raise _too_many_members()
    if keys == raw.count(b":") or keys == len(_NAMED.findall(raw)):
        return value
    return None


def _crowded(value: Any) -> bool:
    """An object in it has more than MAX_MEMBERS members."""
    level: list[Any] = [value]
    while level:
        if any(type(found) is dict and len(found) > MAX_MEMBERS for found in level):
            return True
        level = _below(level)
    return False


def _below(level: list[Any]) -> list[Any]:
    """The containers in these containers."""
    return [
        child
        for container in level
        for child in (container.values() if type(container) is dict else container)
        if type(child) is dict or type(child) is list
    ]


def _keys(value: dict[str, Any], max_depth: int) -> int | None:
    """Keys of all objects in it; None when it is nested deeper."""
    keys = 0
    level: list[Any] = [value]
    for _ in range(max_depth):
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                container = container.values()  # noqa: PLW2901  (either way what is in it)
            for child in container:  # not a list of its own: most containers hold no other
                found = type(child)
                if found is dict or found is list:
                    below.append(child)
        if not below:
            return keys
        level = below
    return None


def _decode(raw: bytes) -> str:
    _check_kind(raw)
    if raw.startswith(_BOMS):
        raise ClientFault(
            "The body starts with a byte order mark. Send JSON as UTF-8 without one.",
            code="invalid_encoding",
        )
    if b"\0" in raw[:4]:
        raise ClientFault(
            "The body looks like UTF-16 or UTF-32. Send JSON as UTF-8.", code="invalid_encoding"
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ClientFault(
            f"The body is not UTF-8: bad byte at offset {error.start}. Send JSON as UTF-8.",
            code="invalid_encoding",
        ) from None


def _parse(text: str, max_depth: int, decoder: JSONDecoder) -> Any:
    try:
        return decoder.decode(text)
    except JSONDecodeError as error:
        what = error.msg.removesuffix(" at").rstrip(": ")
        raise ClientFault(
            f"The body is not valid JSON: {what} at line {error.lineno}, column {error.colno}. "
            "Send one JSON object.",
            code="invalid_json",
        ) from None
    except _DuplicateKey as error:
        raise ClientFault(
            f"The key {_shown(error.args[0])} is given twice in one object. Send it once.",
            code="duplicate_key",
        ) from None
    except _NotFinite as error:
        raise ClientFault(
            f"A number is not finite{_place(text, error.args[0])}. Send a finite number or null.",
            code="not_finite",
        ) from None
    except RecursionError:
        raise _too_deep(text, max_depth) from None
    except ValueError:
        # The only one left: int() refuses more than MAX_DIGITS digits.
        long = next((t for t in _TOKEN.finditer(text) if _is_long_number(t[0])), None)
        raise _long_number(_line_and_column(text, long.start()) if long else "") from None


def _check_kind(raw: bytes) -> None:
    """A body that was never meant as JSON has words of its own."""
    if not raw.strip():
        raise ClientFault("The body is empty. Send one JSON object.", code="invalid_json")
    if _FORM.match(raw):
        raise ClientFault("multipart/form-data is not taken here; send JSON.", code="invalid_json")


def _is_long_number(token: str) -> bool:
    return len(token) > MAX_DIGITS and token[0] in "-0123456789"


def _long_number(place: str) -> ClientFault:
    return ClientFault(
        f"A number has more than {MAX_DIGITS} digits{place}. Send it shorter, or as a string.",
        code="invalid_json",
    )


def _too_deep(text: str, max_depth: int) -> ClientFault:
    depth = 0
    place = ""
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if depth > max_depth:
            place = _line_and_column(text, token.start())
            break
    return ClientFault(
        f"The body is nested deeper than {max_depth} levels{place}. Send it flatter.",
        code="too_deep",
    )


def _deeper(value: dict[str, Any], limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = _below(level)
        if not level:
            return False
    return True


def _check_items(raw: bytes) -> None:
    """Commas outside strings: one for each item but the first of each container."""
    if raw.count(b",") <= MAX_ITEMS:
        return
    count = 0
    for stretch in _OUTSIDE.finditer(raw):
        if raw[stretch.start()] != _QUOTE:
            count += raw.count(b",", *stretch.span())
            if count > MAX_ITEMS:
                raise ClientFault(
                    f"The body has more than {MAX_ITEMS} members and elements. Send it in parts.",
                    code="too_many_items",
                )


def _check_members(raw: bytes) -> None:
    """The same within each object."""
    if raw.count(b",") < MAX_MEMBERS:
        return
    counts: list[int] = []
    for token in _STRUCTURE.finditer(raw):
        sign = token[0]
        if sign == b"{":
            counts.append(1)
        elif sign == b"[":
            counts.append(-MAX_ITEMS)
        elif sign == b"," and counts:
            counts[-1] += 1
            if counts[-1] > MAX_MEMBERS:
                raise _too_many_members()
        elif sign in (b"}", b"]") and counts:
            counts.pop()


def _too_many_members() -> ClientFault:
    return ClientFault(
        f"An object in the body has more than {MAX_MEMBERS} members. Send a smaller one.",
        code="too_many_items",
    )


def _check_containers(text: str) -> None:
    count = 0
    for token in _TOKEN.finditer(text):
        count += token[0] in "[{"
        if count > MAX_CONTAINERS:
            raise ClientFault(
                f"The body has more than {MAX_CONTAINERS} objects and arrays. Send it in parts.",
                code="invalid_json",
            )


def _check_keys(value: dict[str, Any]) -> None:
    """Lone surrogates are no characters: parsers differ on them, so no key may have one."""
    level: list[Any] = [value]
    while level:
        for container in level:
            if type(container) is dict and any(_lone_surrogate(key) for key in container):
                raise ClientFault(
                    "A key has half of a surrogate pair (\\ud800 to \\udfff) in it. "
                    "Send whole characters.",
                    code="invalid_encoding",
                )
        level = _below(level)


def _lone_surrogate(key: str) -> bool:
    return not key.isascii() and any("\ud800" <= char <= "\udfff" for char in key)


def _shown(key: str) -> str:
    shown = "".join(char for char in key[:SHOWN_KEY] if char.isprintable())
    return f"'{shown}'" + ("…" if len(key) > SHOWN_KEY else "")


def _place(text: str, literal: str) -> str:
    for token in _TOKEN.finditer(text):
        if token[0] == literal:
            return _line_and_column(text, token.start())
    return ""


def _line_and_column(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return f" at line {line}, column {column}"
