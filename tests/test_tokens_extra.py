"""The extra `tokens`: what is pinned is installed beside the tests' own environment, which has no tokenizer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.node import unavailable

ROOT = Path(__file__).resolve().parents[1]
COUNT = """
import json
from wattline.dialects.text_tokens import installed, text_tokens
texts = ["hello world", "\\ud800", "a" * 1_000_000]
print(json.dumps([installed() is not None, *map(text_tokens, texts)]))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="rs-bpe has no wheel for it"),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """What a process needs to find the tokenizer."""
    folder = tmp_path_factory.mktemp("tokens")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    pins = ["--constraint", str(ROOT / "constraints.txt"), "--only-binary", ":all:", "rs-bpe"]
    done = subprocess.run([*pip, *pins], capture_output=True, text=True, timeout=280, check=False)
    if done.returncode:
        unavailable(f"rs-bpe can't be installed: {done.stderr[-500:]}")
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_the_tokenizer_counts(environment):
    """Known for o200k_base: https://platform.openai.com/tokenizer"""
    asked = [sys.executable, "-c", COUNT]
    said = subprocess.run(asked, capture_output=True, env=environment, timeout=100, check=True)
    found, hello, broken, much = json.loads(said.stdout)
    assert found
    assert hello == 2
    assert broken >= 1
    assert 1_000 < much < 1_000_000


def test_explain_says_that_it_counted(environment, tmp_path):
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello world " * 1_000}]}
    command = [sys.executable, "-m", "wattline", "explain", "-"]
    own = {**environment, "HOME": str(tmp_path), "WATTLINE_STATE": str(tmp_path / "state")}
    said = subprocess.run(
        command,
        input=json.dumps(ask).encode(),
        capture_output=True,
        env=own,
        timeout=100,
        check=True,
    ).stdout.decode()
    assert "(counted)" in said
    assert "(by length)" not in said
