"""`python -m wattline`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from wattline.cli.main import app  # noqa: PLC0415  (import cost only when it runs)

    app()


if __name__ == "__main__":
    main()
