"""What a decision costs by itself: `python deciding.py` prints CPU microseconds per decision as JSON.

No socket, no gateway: a call goes in, its plan comes out; the rule that takes it is the last one. CPU time of this
thread is measured, not wall time, so that what else runs on the machine is not in it.
"""

from __future__ import annotations

import json
import sys
import time

from rulesfile import rules_text
from shapes import MODEL
from wattline.engine.decide import decide
from wattline.engine.rest import Resting
from wattline.engine.view import View
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.load import load
from wattline.wire.call import LOCAL, Call, Operation

DECISIONS = 2_000
ROUNDS = 7
RULES = (10, 1_000)
_PORT = 9


def per_decision(book: Book, decisions: int = DECISIONS) -> float:
    """CPU microseconds of one. Raises ValueError when nothing could be tried: then a figure would flatter."""
    call = Call(
        id="bench",
        dialect="openai",
        operation=Operation.CHAT,
        method="POST",
        host="",
        path="/v1/chat/completions",
        model=MODEL,
        stream=False,
        principal=LOCAL,
        tokens=10,
    )
    view = View(Windows(), Resting(), lambda _: None)
    if not decide(call, book, view, 0.0, 0.0).targets:
        raise ValueError("the call that is measured goes nowhere")
    begun = time.thread_time_ns()
    for number in range(decisions):
        decide(call, book, view, float(number), 0.0, 0.5)
    return (time.thread_time_ns() - begun) / decisions / 1e3


def measured() -> dict[str, float]:
    """The median over the rounds for each number of rules."""
    figures = {}
    for count in RULES:
        book = load(rules_text(_PORT, count), env={})
        rounds = sorted(per_decision(book) for _ in range(ROUNDS))
        figures[f"rules_{count}_us"] = rounds[ROUNDS // 2]
    return figures


if __name__ == "__main__":
    json.dump(measured(), sys.stdout)
