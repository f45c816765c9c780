"""`python -m wattline`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    try:
        _main()
    except KeyboardInterrupt:  # during the imports, which take a moment: nothing was done yet
        raise SystemExit(130) from None


def _main() -> None:
    from wattline.cli.failure import end as tell  # noqa: PLC0415
    from wattline.cli.main import app  # noqa: PLC0415  (import cost only when it runs)
    from wattline.cli.streams import flush, soften  # noqa: PLC0415

    soften()
    code: object = 1
    try:
        app(prog_name="wattline")
    except SystemExit as ended:
        code = ended.code
        raise
    except BrokenPipeError:
        raise
    except OSError as error:  # while the help was written, which is no command
        tell(error)
    finally:
        flush(code)


if __name__ == "__main__":
    main()
