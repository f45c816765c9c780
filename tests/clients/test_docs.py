"""The snippets of docs/clients.md, run as they stand there, against the demo provider."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from kit.node import SDKS
from wattline.app.sidecar import Sidecar
from wattline.base.settings import Settings
from wattline.cli.environment import BASE_URLS, BUNDLE_VARIABLES, PROXY_VARIABLES, SIDECAR
from wattline.rules.load import load

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "clients.md").read_text()
ADDRESS = "127.0.0.1:8088"
MADE_UP = "This is the wattline demo provider"
NUMBER = re.compile(r"(?<=[ .])\d+(?:\.\d+)?$", re.MULTILINE)
MAKES_NO_CALL = "setGlobalDispatcher"


COUNTS = (1, 1, 3, 2, 1, 1, 1)
"""Answers that each of the programs gets."""


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


CURLS = [text for text in snippets("sh") if text.startswith("curl")]
PROGRAMS = [text for text in snippets("js") if MAKES_NO_CALL not in text]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory):
    state = tmp_path_factory.mktemp("docs") / "state"
    env = {"MOCK_BASE_DELAY": "0", "MOCK_TOKEN_SPEED": "2000"}
    settings = Settings(rules=ROOT / "rules.yaml", state=state, host="127.0.0.1", port=0, env=env)
    async with Sidecar(settings) as sidecar:
        yield f"{sidecar.address[0]}:{sidecar.address[1]}"


async def output(command: Sequence[str], folder: Path) -> str:
    """What a program prints; it must end well and complain of nothing."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONWARNINGS": "ignore"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, ""), out
    return out.decode()


@pytest.mark.parametrize("text", CURLS)
async def test_curl(address, tmp_path, text):
    """D-092: cURL."""
    out = await output(["sh", "-ec", text.replace(ADDRESS, address)], tmp_path)
    assert (MADE_UP in out and '"energy":' in out) or "wattline-demo" in out


@pytest.mark.parametrize("text", snippets("python"))
async def test_python(address, tmp_path, text):
    """D-092: Python's requests, and SDKs."""
    out = await output([sys.executable, "-c", text.replace(ADDRESS, address)], tmp_path)
    assert out.startswith(MADE_UP)
    assert NUMBER.search(out)


@pytest.mark.parametrize(("text", "answers"), list(zip(PROGRAMS, COUNTS, strict=True)))
async def test_node(address, node, text, answers):
    """D-092: fetch, a reader of a stream, a WebSocket, and SDKs."""
    program = [str(node), "--input-type=module", "-e", text.replace(ADDRESS, address)]
    out = await output(program, SDKS)
    assert out.count(MADE_UP) == len(NUMBER.findall(out)) == answers


async def test_there_are_some():
    assert (len(CURLS), len(snippets("python")), len(PROGRAMS)) == (7, 6, 7)


async def test_the_dispatcher_is_the_tested_one():
    (shown,) = [text for text in snippets("js") if MAKES_NO_CALL in text]
    assert (SDKS / "env_proxy.mjs").read_text().endswith(shown)


async def test_the_rule_loads():
    (text,) = snippets("yaml")
    shipped = yaml.safe_load((ROOT / "rules.yaml").read_text())
    shipped["rules"] = yaml.safe_load(text)["rules"] + shipped["rules"]
    book = load(yaml.safe_dump(shipped), env={"OPENAI_API_KEY": "k"})
    assert book.rules[0].name == "claude-code"


async def test_every_variable_is_named():
    names = {*PROXY_VARIABLES[:2], *BUNDLE_VARIABLES, SIDECAR}
    names |= {url.variable for url in BASE_URLS}
    table = TEXT.partition("## What `run` and `env` set")[2]
    assert [name for name in sorted(names) if f"`{name}`" not in table] == []
