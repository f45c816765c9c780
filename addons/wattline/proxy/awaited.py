"""How a paused stream waits for its answer: a blocking command that the connection handler has nothing
to do for, and the event that ends it.

No `from __future__ import annotations` here: mitmproxy looks at the annotation of `command` at run time.
"""

import logging
from dataclasses import dataclass

from mitmproxy.proxy import commands, events


class AwaitAnswer(commands.Log):
    """Pauses a stream until `AnswerReady`. To the connection handler it is a log line that no level
    shows: a hook would cost a task and two turns of the loop for each call.
    """

    blocking = True

    def __init__(self) -> None:
        super().__init__("waiting for the answer", logging.NOTSET + 1)


@dataclass
class AnswerReady(events.CommandCompleted):
    """There is a response, or the call is over without one."""

    command: AwaitAnswer
    reply: None = None
