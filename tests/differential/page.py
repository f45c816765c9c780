"""docs/translation-differences.md, made from a run: `scripts/differential --write`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from comparison import Difference
from judgements import JUDGEMENTS, Judgement

FILE = Path(__file__).parents[2] / "docs" / "translation-differences.md"
_INTRO = """# Where translations differ

Made by `scripts/differential --write`, which translates a corpus of requests, answers and streams here, with LiteLLM
{litellm} and with llm-rosetta {rosetta}, and compares what they mean: not bytes, but what a provider would do, or a client
hear. Every disagreement is in a table below, under its judgement; `scripts/differential` fails for one that is not,
and for a judgement that no longer has any. The authority is the documentation of the API that is written or read.

{count} disagreements, in {judgements} groups. A name in brackets is that of the oracle that differs; one that is not
named says the same as we do. `refused` stands for a request that is not translated, with the reason given.
"""


def judged(found: Iterable[Difference]) -> dict[Judgement | None, list[Difference]]:
    """The disagreements by their judgement; None has those without one."""
    groups: dict[Judgement | None, list[Difference]] = defaultdict(list)
    for difference in found:
        fitting = [judgement for judgement in JUDGEMENTS if judgement.holds(difference.key)]
        groups[fitting[0] if fitting else None].append(difference)
    return groups


def page(found: list[Difference]) -> str:
    """The whole page."""
    groups = judged(found)
    parts = [
        _INTRO.format(
            litellm=version("litellm"),
            rosetta=version("llm-rosetta"),
            count=len(found),
            judgements=len(JUDGEMENTS),
        )
    ]
    for judgement in JUDGEMENTS:
        parts.append(
            f"\n## {judgement.title}\n\n{judgement.text}\n<{judgement.authority}>\n\n"
            "| what | cases | ours | theirs |\n|---|---|---|---|\n"
        )
        parts += _rows(groups[judgement])
    return "".join(parts)


def _rows(found: list[Difference]) -> list[str]:
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in sorted(found):
        what = f"{each.way}, {each.client} to {each.provider}: {each.field} ({each.party})"
        rows[what, each.ours, each.theirs].append(each.case)
    return [
        f"| {what} | {', '.join(cases)} | `{_cell(ours)}` | `{_cell(theirs)}` |\n"
        for (what, ours, theirs), cases in rows.items()
    ]


def _cell(text: str) -> str:
    return text.replace("`", "'") or " "
