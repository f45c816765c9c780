"""`python -m wattline`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    from wattline.cli.main import app  # noqa: PLC0415  (import cost only when it runs)

    try:
        app()
    finally:
        _flush()


def _flush() -> None:
    """Whoever reads may have left (`wattline … | head -1`). The interpreter would complain of that at its end,
    so what is left goes nowhere.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    main()
