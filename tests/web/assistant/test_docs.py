"""The examples in docs/control.md do what it says they do."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from kit.assistant import ENV
from kit.sidecars import running

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
FIRST, LAST = "\n## Who may\n", "\n## A free account\n"
QUICK = {"MOCK_BASE_DELAY": "0", "MOCK_TOKEN_SPEED": "10000", "MOCK_ERROR_RATE": "0"}


def fits(told: Any, shown: Any) -> bool:
    """What is shown is there; `…` stands for anything."""
    if shown == "…":
        return told not in (None, "")
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(
            name in told and fits(told[name], part) for name, part in shown.items()
        )
    if isinstance(shown, list):
        return len(told) == len(shown) and all(map(fits, told, shown))
    return bool(told == shown)


async def run(command: str, port: int) -> Any:
    """A command of the page, asked of a sidecar at this port."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command.replace("127.0.0.1:8088", f"127.0.0.1:{port}"),
        env={**ENV, "PATH": "/usr/bin:/bin:/usr/local/bin"}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return json.loads(output)


async def test_the_examples(tmp_path):
    """A-023 to A-029, A-036, A-037, A-063: by curl, with the shipped rules."""
    text = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
    examples = EXAMPLE.findall(text[text.index(FIRST) : text.index(LAST)])
    assert len(examples) >= 12
    rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    async with running(tmp_path, 0, text=rules, env={**ENV, **QUICK}) as sidecar:
        for command, shown in examples:
            told = await run(command, sidecar.address[1])
            assert fits(told, json.loads(shown)), (command, told)


def test_it_names_every_page():
    """Each path is on the page."""
    text = (ROOT / "docs" / "control.md").read_text(encoding="utf-8")
    for path in ("/token", "/token/has", "/dialog", "/completions", "/system-message", "/referral"):
        assert f"{path}?" in text
