"""One line in the log for each call that has ended, and its count: what came of it, never what was in it."""

from __future__ import annotations

import logging

from wattline.base.amounts import units
from wattline.base.errors import Fault
from wattline.engine.summary import SHOWN
from wattline.service.exchange import Exchange
from wattline.service.metering.counts import EXPLAINED, REPLAYED, Counts, repeat_word
from wattline.wire.http import Request

log = logging.getLogger("wattline.requests")

ANSWERED_HERE = "answered here"
"""Nobody was asked: the prompt's tokens were counted by us."""
LONGEST = 100
"""Characters of a rule or target: a model's name may be the client's."""


_REFUSED = "%(request_id)s refused: %(status)s %(code)s"
_DONE = (
    "%(request_id)s %(rule)s: %(target)s, %(outcome)s, status %(status)s, attempts %(attempts)d, "
    "%(ms).0f ms, tokens %(tokens)s, energy %(energy)s"
)
_DRILLED = f"{_DONE} (drill: %(drill)s)"


def report(
    request: Request,
    exchange: Exchange | None,
    fault: Fault | None,
    now: float,
    counts: Counts,
) -> None:
    """Called once for each call, after its last byte. `now` is monotonic seconds."""
    counts.call(request, exchange, fault, now)
    if not log.isEnabledFor(logging.INFO):
        return
    if exchange is None:
        log.info(_REFUSED, {"request_id": request.id, **_refusal(request, fault)})
        return
    tried = exchange.attempts
    target = str(tried[-1].target)[:LONGEST] if tried else "no target"
    status = fault.status if fault is not None else tried[-1].status if tried else None
    if exchange.explained is not None:
        status = exchange.explained.status
    if fault is not None and not tried and exchange.plan.skipped:
        log.info("%s could not be tried: %s", request.id, _left_out(exchange))
    usage, energy = exchange.usage, exchange.energy
    drill = tried[-1].drill if tried else None
    log.info(
        _DONE if drill is None else _DRILLED,
        {
            "request_id": request.id,
            "rule": (exchange.plan.rule or "no rule")[:LONGEST],
            "target": target,
            "outcome": _end(exchange, fault),
            "status": status or "-",
            "attempts": len(tried),
            "ms": round((now - exchange.began) * 1000, 1),
            "tokens": "-" if usage is None else f"{usage.prompt}+{usage.completion}",
            "energy": "-" if energy is None or energy.micro is None else units(energy.micro),
            **({} if drill is None else {"drill": drill}),
        },
    )


def report_replay(request: Request, status: int, counts: Counts) -> None:
    """A call got an earlier one's answer."""
    counts.replayed()
    told = {"request_id": request.id, "outcome": REPLAYED, "status": status}
    log.info("%(request_id)s %(outcome)s: status %(status)s", told)


def report_repeat(request: Request, fault: Fault, counts: Counts) -> None:
    """A call with an Idempotency-Key was refused before it began."""
    counts.repeated(request, fault)
    told = {"request_id": request.id, "outcome": repeat_word(fault), **_refusal(request, fault)}
    log.info("%(request_id)s %(outcome)s: %(status)s %(code)s", told)


def _left_out(exchange: Exchange) -> str:
    """Each target and why, which its client is not told."""
    skipped = exchange.plan.skipped
    texts = [f"{skip.target[:LONGEST]} ({skip.reason})" for skip in skipped[:SHOWN]]
    more = len(skipped) - SHOWN
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _refusal(request: Request, fault: Fault | None) -> dict[str, object]:
    if fault is None:
        return {"status": "-", "code": request.departure.reason}
    return {"status": fault.status, "code": fault.code}


def _end(exchange: Exchange, fault: Fault | None) -> str:
    """In a word: the ledger's for a call with output, else why there was none."""
    if fault is not None:
        return str(fault.code or "failed")
    if exchange.state is not None:
        return exchange.state.value
    if exchange.attempts or exchange.request.departure.reason is not None:
        return str(exchange.request.departure.reason or "failed")
    return ANSWERED_HERE if exchange.explained is None else EXPLAINED
