"""rules.yaml to a Book: read once, checked as a whole, told where each mistake is."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.rules.book import Book
from wattline.rules.compilation import Compilation
from wattline.rules.elsewhere import Elsewhere
from wattline.rules.problems import Problem, RulesError
from wattline.rules.report import Report
from wattline.rules.sections import read_sections
from wattline.rules.tree import MAX_BYTES, parse

__all__ = ["MAX_BYTES", "Problem", "RulesError", "load"]


def load(
    text: str | bytes,
    *,
    env: Mapping[str, str],
    name: str = "rules.yaml",
    own: tuple[str, int] | None = None,
    elsewhere: Elsewhere | None = None,
) -> Book:
    """The compiled rules. `name` is shown in problems; `own` is the host and port that we really listen
    on, when that is not what the file says (command line, environment). With `elsewhere` the book is
    that process's as far as it can be known here: which providers and callers have their variables.

    Raises RulesError with every problem of the file; no problem's text holds a secret.
    """
    report = Report(parse(text, name))
    book = Compilation(read_sections(report), report, env, own, elsewhere).book()
    if report.problems:
        raise RulesError(report.problems)
    return book
