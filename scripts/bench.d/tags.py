"""The marks that let an answer be matched with its call, and an event with its moment.

They are in the prompt and in the answer's text, so they survive every rewriting that a gateway may
do to headers, fields and framing.
"""

from __future__ import annotations

import re

TAG = b"bench-id-%010d"
"""A call's number; always the same length, so that prepared request heads stay right."""

STREAM_ORDER = b" n=%06d gap=%06d"
"""After the tag: how many events to stream (0: until released), and milliseconds between two."""

EVENT = b"bench-id-%010d e%d t%d;"
"""In each event: the call, the event's place from 0, `time.monotonic_ns()` when it was sent."""

_ORDER = re.compile(rb"bench-id-(\d{10})(?: n=(\d{6}) gap=(\d{6}))?")

find_events = re.compile(rb"bench-id-(\d{10}) e(\d+) t(\d+);").findall


def read_order(body: bytes) -> re.Match[bytes] | None:
    """The last tag in a request's body: its number, and for a stream how many events and the gap.

    `rfind` first: a regex search over a 100 kB prompt would cost more than all the rest.
    """
    at = body.rfind(b"bench-id-")
    return _ORDER.match(body, at) if at >= 0 else None
