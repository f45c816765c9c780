"""What pages of other origins may read of an answer."""

from __future__ import annotations

import re
from pathlib import Path

from wattline.service.entrance.cors import EXPOSED

ROOT = Path(__file__).resolve().parents[3]
_OURS = re.compile(r"(?:x-wattline|x-ratelimit|idempotent)-[a-z]+(?:-[a-z]+)*")
OF_REQUESTS = {"x-wattline-attempt", "x-wattline-explain", "x-wattline-tag"}
OF_STREAMS = {"x-wattline-continued"}
INSIDE = {"x-wattline-web"}
"""Between the proxy and our own pages."""


def test_every_header_of_ours_is_exposed() -> None:
    texts = [
        *(ROOT / "docs").glob("*.md"),
        *(
            path
            for folder in ("service", "web", "proxy", "wire")
            for path in (ROOT / "addons/wattline" / folder).rglob("*.py")
        ),
    ]
    found = {name for path in texts for name in _OURS.findall(path.read_text().lower())}
    found -= OF_REQUESTS | OF_STREAMS | INSIDE
    assert found <= set(EXPOSED.split(", ")), found - set(EXPOSED.split(", "))
    assert {"x-wattline-call", "x-wattline-dialog", "idempotent-replayed"} <= found
