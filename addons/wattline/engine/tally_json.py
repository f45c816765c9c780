"""A backtest's sum as JSON values, with what it can't know in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from wattline.base.amounts import MICRO
from wattline.engine.tally import Tally
from wattline.rules.compiled.window import Scope

ASSUMED: Final = (
    "What was not called then is taken to answer, in the same time, to the same prompt, with an answer of half to "
    "twice as many tokens. What was called ends as it did."
)


def tally_json(tally: Tally, unknown: int) -> dict[str, Any]:
    """The sum. `unknown`: calls that could not be replayed."""
    return {
        "rules_version": tally.book.version,
        "from": _time(tally.first),
        "to": _time(tally.last),
        "calls": tally.calls,
        "not_replayed": unknown,
        "not_recorded": tally.left_out,
        "changed": tally.changed,
        "moves": [
            {"from": old, "to": new, "calls": count}
            for (old, new), count in tally.moves.most_common()
        ],
        "refused": {"then": tally.refused_then, "now": tally.refused_now},
        "rate_limited": {
            "then": tally.limited_then,
            "now": tally.limited_now,
            "avoided": tally.avoided,
            "caused": tally.caused,
        },
        "energy": tally.energy.as_json(MICRO),
        "dollars": None if tally.price is None else tally.dollars.as_json(),
        "targets": [
            {"target": name, "then": tally.served_then[name], "now": tally.served_now[name]}
            for name in targets(tally)
        ],
        "rules": [
            {
                "name": rule.name,
                "line": rule.line,
                "then": tally.rules_then[rule.name],
                "now": tally.rules_now[rule.name],
            }
            for rule in tally.book.rules
        ],
        "no_rule": {"then": tally.rules_then[""], "now": tally.rules_now[""]},
        "never_reached": [rule.name for rule in tally.book.rules if not tally.rules_now[rule.name]],
        "examples": [{**example, "at": _time(example["at"])} for example in tally.examples],
        "notes": list(notes(tally, unknown)),
    }


def targets(tally: Tally) -> list[str]:
    """All that served or refused a call, the busiest first."""
    both = tally.served_then + tally.served_now
    return [name for name, _ in both.most_common()]


def notes(tally: Tally, unknown: int) -> Iterator[str]:
    """What a reader must know."""
    if tally.changed:
        yield ASSUMED
    if unknown:
        yield f"{unknown} calls were left out: the ledger says too little of what they were decided by."
    if tally.left_out:
        yield f"{tally.left_out} refused calls were not written down: there were too many in a second."
    for name, count in sorted(tally.headers_missing.items()):
        yield (
            f"Header {name} was not recorded for {count} calls, since no rule asked for it, or it was too long or "
            "like a credential: conditions on it were taken not to hold."
        )
    if tally.balances_missing:
        yield f"The caller's balance was not recorded for {tally.balances_missing} calls: taken as without limit."
    if any(window.scope is Scope.ADDRESS for window in tally.book.windows):
        yield "Windows by address are not replayed: the ledger knows no addresses. What they refused stays refused."
    if tally.energy.unknown:
        yield f"{tally.energy.unknown} calls have no known energy and are in neither sum."
    if tally.dollars.unknown:
        yield f"{tally.dollars.unknown} calls have no public price, and are in neither sum of dollars."


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
