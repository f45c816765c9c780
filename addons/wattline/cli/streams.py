"""Standard output and standard error at the edges: encodings without all characters, readers that left, full disks."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Final, TextIO

from wattline.cli.failure import FAILED, say

_CODEC_ERRORS: Final = "wattline.plain"
_ASCII: Final = {"…": "...", "–": "-", "→": "->", "✓": "ok", "✗": "NO", "·": "-"}  # noqa: RUF001


def soften() -> None:
    """What an output's encoding does not have is written in other signs; nothing fails for it."""
    codecs.register_error(_CODEC_ERRORS, _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_CODEC_ERRORS)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII.get(char) or ascii(char)[1:-1] for char in text), error.end


def flush(code: object) -> None:
    """Write what is left, at the end of a command with this exit code. Whoever reads may have left (`wattline … |
    head -1`): that is no failure. Exits with 1 where the output can't be written and nothing else had failed.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _to_nowhere(stream)
        except OSError as error:
            _to_nowhere(stream)
            if stream is sys.stdout and code in (None, 0):
                say(f"the output can't be written: {error.strerror}")
                sys.exit(FAILED)


def _to_nowhere(stream: TextIO) -> None:
    """The interpreter would complain of what is left at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
