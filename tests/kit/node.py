"""Clients from npm: installed by their lock files into git-ignored folders, and driven as processes.

`tests/node/` has the SDKs and a Node to run them, `tests/node/agents/` the coding agents. To renew one:
`npm install --package-lock-only --save-exact NAME@latest` there. Lock files hold versions and
hashes, no addresses: any registry will do.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from kit.sdks.asking import TOOL_SCHEMA, Ask, Door, Heard

SDKS = Path(__file__).resolve().parents[1] / "node"
AGENTS = SDKS / "agents"
NAMES = (
    "openai-chat",
    "openai-responses",
    "anthropic",
    "ai-openai-chat",
    "ai-openai-responses",
    "ai-anthropic",
    "ai-google",
)
"""What `asker.mjs` knows."""
INSTALL_SECONDS = 280
LEAST_NODE = 22
TOOL = {"name": "get_weather", "schema": TOOL_SCHEMA}


def unavailable(reason: str) -> NoReturn:
    """Skip here, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def installed(folder: Path) -> Path:
    """The folder's `node_modules`, as its lock file says. Installs only what has changed."""
    modules = folder / "node_modules"
    mark = modules / ".installed"
    with _alone(folder / "package-lock.json") as lock:
        wanted = f"{hashlib.sha256(lock).hexdigest()} {platform.system()} {platform.machine()}"
        if mark.exists() and mark.read_text() == wanted:
            return modules
        _install(folder)
        mark.write_text(wanted)
    return modules


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bytes]:
    """A file's content, while no other test process installs."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.read()


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is needed for these tests (Debian: apt install nodejs npm)")
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode:
        unavailable(f"npm ci failed in tests/{folder.name}: {done.stderr[-1000:]}")


def node_program(modules: Path) -> Path:
    """The Node that was installed with the SDKs, or this machine's where there is none for it."""
    for pinned in modules.glob("node-*/bin/node"):
        return pinned
    found = shutil.which("node")
    if found is None:
        unavailable("no Node for this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.strip("v\n").partition(".")[0]) < LEAST_NODE:
        unavailable(f"the SDKs need Node {LEAST_NODE}, this is {version.stdout.strip()}")
    return Path(found)


@dataclass
class NodeError(Exception):
    """What a program in Node was given: `kind` is the class, `last` that of the last try's error."""

    kind: str
    last: str
    status: int | None
    message: str
    code: str | None
    type: str | None

    def __str__(self) -> str:
        return f"{self.kind} {self.status} {self.message}"


class Asker:
    """`asker.mjs`: every SDK in one process. One question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(
        self, sdk: str, door: Door, model: str, ask: Ask, *, stream: bool, retries: int = 0
    ) -> Heard:
        """Ask as `sdk`. Raises NodeError."""
        question = {
            "sdk": sdk,
            "door": {"url": door.url, "key": door.key, "retries": retries},
            "model": model,
            "ask": {**asdict(ask), "tool": TOOL},
            "stream": stream,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise NodeError(**answer["error"])
        heard = answer["heard"]
        heard["calls"] = [tuple(call) for call in heard["calls"]]
        return Heard(**heard)


@contextlib.asynccontextmanager
async def asker(node: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Asker]:
    """A running `asker.mjs` with this environment and nothing of this machine's."""
    process = await asyncio.create_subprocess_exec(
        *(str(node), str(SDKS / "asker.mjs")),
        env={"PATH": os.environ["PATH"], **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield Asker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
