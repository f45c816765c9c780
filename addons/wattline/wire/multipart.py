"""The parts of an upload (multipart/form-data, RFC 7578), and where they stand.

Files are skipped without being held: an upload of 300 MB is read once, in blocks. Blocking; run it in
a thread.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import IO, NamedTuple

from wattline.base.errors import ClientFault
from wattline.wire.http import Request

MAX_PARTS = 64
MAX_PADDING = 128
MAX_PART_HEAD = 8 * 1024
MAX_VALUE = 128 * 1024
"""Bytes of one text field: a picture's prompt may have 32000 characters."""
BLOCK = 256 * 1024

_CLOSE = b"--"
_SEVERAL = "[]"
"""How the name of a field ends that may stand several times (`image[]`); the first of them is read."""
_BOUNDARY = re.compile(
    r';[ \t]*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))[ \t]*(?=;|$)', re.IGNORECASE
)
_BOUNDARY_CHARS = re.compile(r"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(rb';[ \t]*([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))')


class Field(NamedTuple):
    """A text field: its value, and the offsets of the value's bytes in the body."""

    value: str
    start: int
    end: int


class Span(NamedTuple):
    """Where the bytes of a file stand in the body."""

    start: int
    end: int


class Form(NamedTuple):
    """A whole form: its text fields and its files by name."""

    fields: dict[str, Field]
    files: dict[str, Span]
    boundary: str

    def text_part(self, name: str, value: str) -> bytes:
        """A further text field, to stand right behind the value of another one. `name` is a plain word."""
        head = f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"'
        return f"\r\n{head}\r\n\r\n{value}".encode()


def read_form(request: Request) -> Mapping[str, str]:
    """The text fields of a request's upload, by name. Raises ClientFault 400 or 415."""
    source: IO[bytes] = io.BytesIO(request.body)
    if request.spool is not None:
        source = request.spool
    fields = read_fields(source, request.header("content-type") or "")
    return {name: field.value for name, field in fields.items()}


def read_fields(source: IO[bytes], content_type: str) -> dict[str, Field]:
    """The text fields (parts without a file name) of the form in `source`. See `read_parts`."""
    return read_parts(source, content_type).fields


def read_parts(source: IO[bytes], content_type: str) -> Form:
    """The form in `source`, which is left at its start.

    Raises ClientFault: 415 when it is no form, 400 when it is broken, cut, or names a part twice.
    """
    form = Form({}, {}, _boundary(content_type))
    source.seek(0)
    try:
        _read(_Window(source), form)
    finally:
        source.seek(0)
    return form


def _boundary(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise ClientFault(
            "This path takes an upload. Send it as multipart/form-data.",
            status=415,
            code="not_a_form",
            param="content-type",
        )
    found = _BOUNDARY.findall(content_type)
    boundary = "".join(found[0]) if len(found) == 1 else ""
    if not _BOUNDARY_CHARS.fullmatch(boundary):
        raise _broken("the content-type has no valid boundary")
    return boundary


class _Window:
    """A moving view of a file, by absolute offsets, which never holds more than it was asked for."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        # A line end before the first byte lets the first delimiter look like the others.
        self.view = bytearray(b"\r\n")
        self.base = -len(self.view)
        """The offset of the view's first byte in the file."""

    def more(self) -> bool:
        """Read another block; False at the end."""
        block = self.source.read(BLOCK)
        self.view += block
        return bool(block)

    def drop(self, count: int) -> None:
        """Forget the first bytes of the view."""
        del self.view[:count]
        self.base += count

    def take_until(self, mark: bytes, limit: int, what: str) -> bytes:
        """The bytes before `mark`; the view then begins after it. At most `limit` bytes."""
        searched = 0
        while True:
            found = self.view.find(mark, searched)
            if found > limit or (found < 0 and len(self.view) > limit + len(mark)):
                raise _broken(f"{what} is longer than {limit} bytes")
            if found >= 0:
                taken = bytes(self.view[:found])
                self.drop(found + len(mark))
                return taken
            searched = max(0, len(self.view) - len(mark) + 1)
            if not self.more():
                raise _broken("it ends too early")

    def skip_until(self, mark: bytes) -> None:
        """Forget everything up to the end of `mark`."""
        while (found := self.view.find(mark)) < 0:
            self.drop(max(0, len(self.view) - len(mark) + 1))
            if not self.more():
                raise _broken("it ends too early")
        self.drop(found + len(mark))


def _read(window: _Window, form: Form) -> None:
    """Put the parts of a form into `form`."""
    delimiter = f"\r\n--{form.boundary}".encode("ascii")
    window.skip_until(delimiter)
    for _ in range(MAX_PARTS + 1):
        if _last(window):
            return
        tail = window.take_until(b"\r\n", MAX_PADDING, "a boundary line")
        if tail.strip(b" \t"):
            raise _broken("there are bytes after a boundary")
        _read_part(window, form, delimiter)
    raise _broken(f"it has more than {MAX_PARTS} parts")


def _read_part(window: _Window, form: Form, delimiter: bytes) -> None:
    name, is_file = _part_head(window)
    several = name.endswith(_SEVERAL)
    if (name in form.fields or name in form.files) and not several:
        raise _broken(f"the field {name[:64]!r} is given twice", code="duplicate_key")
    start = window.base
    if is_file:
        window.skip_until(delimiter)
        form.files.setdefault(name, Span(start, window.base - len(delimiter)))
        return
    value = window.take_until(delimiter, MAX_VALUE, f"the field {name[:64]!r}")
    form.fields.setdefault(name, Field(_text(value, name), start, start + len(value)))


def _last(window: _Window) -> bool:
    while len(window.view) < len(_CLOSE) and window.more():
        pass
    return window.view.startswith(_CLOSE)


def _part_head(window: _Window) -> tuple[str, bool]:
    """The field's name, and whether it is a file."""
    if window.view.startswith(b"\r\n"):
        raise _broken("a part has no content-disposition")
    head = window.take_until(b"\r\n\r\n", MAX_PART_HEAD, "the head of a part")
    lines = [line for line in head.split(b"\r\n") if line[:20].lower() == b"content-disposition:"]
    if len(lines) != 1:
        raise _broken("a part has no single content-disposition")
    parameters: dict[bytes, bytes] = {}
    for key, quoted, plain in _PARAMETER.findall(lines[0]):
        if key.lower() in parameters:
            raise _broken("a content-disposition has a parameter twice")
        parameters[key.lower()] = quoted or plain
    if b"name" not in parameters:
        raise _broken("a part has no name")
    is_file = b"filename" in parameters or b"filename*" in parameters
    return _text(parameters[b"name"], "name"), is_file


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _broken(f"the field {name[:64]!r} is not UTF-8", code="invalid_encoding") from None


def _broken(what: str, code: str = "invalid_form") -> ClientFault:
    return ClientFault(
        f"The multipart body can't be read: {what}. Send it as RFC 7578 says.", code=code
    )
