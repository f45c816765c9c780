"""The real command line in a process of its own, away from this machine's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.forked import Nursery

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_START")

type Environment = Mapping[str, str]


class Cli:
    """Runs `python -m wattline` with a state folder of its own and the shipped rules."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder, self.nursery = folder, nursery
        self.state = folder / "the state"
        self.env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.env |= {
            "HOME": str(folder),
            "WATTLINE_STATE": str(self.state),
            "WATTLINE_RULES": str(ROOT / "rules.yaml"),
            "PYTHONPATH": str(ROOT / "addons"),
            "MOCK_BASE_DELAY": "0",
            "MOCK_TOKEN_SPEED": "1000",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "wattline", *arguments]

    def __call__(
        self,
        *arguments: str,
        env: Environment | None = None,
        stdin: str | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """To its end, in a process that begins with its imports done."""
        env = {**self.env, **(env or {})}
        return self.nursery.run(
            "wattline", arguments, env=env, cwd=self.folder, stdin=stdin, timeout=timeout
        )

    def alone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """To its end, from the start of the interpreter on."""
        return subprocess.run(
            self.command(*arguments),
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        env = {**self.env, **more.pop("env", {})}
        return subprocess.Popen(
            self.command(*arguments),
            env=env,
            cwd=self.folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def rules(self, text: str) -> Path:
        path = self.folder / "my rules.yaml"
        path.write_text(text)
        return path


@pytest.fixture
def cli(tmp_path: Path, nursery: Nursery) -> Cli:
    return Cli(tmp_path, nursery)


@pytest.fixture(scope="module")
def shared_cli(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Cli:
    """For tests that change nothing and need a sidecar, which takes seconds to start."""
    return Cli(tmp_path_factory.mktemp("shared"), nursery)


type Start = Callable[..., subprocess.Popen[str]]
