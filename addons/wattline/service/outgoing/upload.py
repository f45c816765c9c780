"""An upload on its way to a target: the client's own bytes, but for the model's name and fields that the
configuration adds.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import IO

from wattline.wire.audio.duration import seconds
from wattline.wire.multipart import Form, read_parts

MODEL = "model"
RECORDING = "file"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Upload:
    """A form in a file, and where its parts stand. The file is read, never copied."""

    file: IO[bytes]
    form: Form

    @classmethod
    def read(cls, file: IO[bytes], content_type: str) -> Upload:
        """Reads all of the file: run it in a thread. Raises ClientFault, as `read_parts`."""
        return cls(file, read_parts(file, content_type))

    @property
    def values(self) -> dict[str, str]:
        """The text fields by name."""
        return {name: field.value for name, field in self.form.fields.items()}

    def seconds(self) -> Fraction | None:
        """How long its recording is; None when that can't be known. Reads the file: run it in a thread,
        while nobody else reads. Raises OSError.
        """
        span = self.form.files.get(RECORDING)
        return None if span is None else seconds(self.file, span.start, span.end)

    def for_model(self, model: str, added: Mapping[str, str] = _NOTHING) -> Replaced:
        """The form with this model and the further text fields `added`, but for those that it has."""
        fields, files = self.form.fields, self.form.files
        parts = [
            self.form.text_part(*pair)
            for pair in added.items()
            if pair[0] not in fields and pair[0] not in files
        ]
        field = fields.get(MODEL)
        if field is not None:
            return Replaced(self.file, field.start, field.end, model.encode() + b"".join(parts))
        ends = [*(part.end for part in fields.values()), *(part.end for part in files.values())]
        if not ends:  # there is no part to stand behind
            return Replaced(self.file, 0, 0, b"")
        parts.append(self.form.text_part(MODEL, model))
        return Replaced(self.file, ends[0], ends[0], b"".join(parts))


class Replaced:
    """A file with `new` in the place of its bytes `start` to `end`; to be read from its start on, as
    often as wanted, by one reader at a time.
    """

    def __init__(self, file: IO[bytes], start: int, end: int, new: bytes) -> None:
        self._file, self._start, self._end, self._new = file, start, end, new
        self._shift = len(new) - (end - start)
        self._size = file.seek(0, io.SEEK_END) + self._shift
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """The new position: absolute, or counted from the end. Raises ValueError."""
        if whence not in (io.SEEK_SET, io.SEEK_END):
            raise ValueError(f"whence {whence} is not supported")
        at = offset if whence == io.SEEK_SET else self._size + offset
        if at < 0:
            raise ValueError(f"there is no position {at}")
        self._at = at
        return at

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer at a seam, none only at the end."""
        inserted = self._start + len(self._new)
        if self._at < self._start:
            data = self._from_file(self._at, min(size, self._start - self._at))
        elif self._at < inserted:
            offset = self._at - self._start
            data = self._new[offset : offset + size]
        else:
            data = self._from_file(self._at - self._shift, size)
        self._at += len(data)
        return data

    def _from_file(self, offset: int, size: int) -> bytes:
        # Another attempt may have left the shared file anywhere.
        self._file.seek(offset)
        return self._file.read(size)
