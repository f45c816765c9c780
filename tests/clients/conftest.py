"""Clients from npm, each installed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.node import AGENTS, SDKS, installed, node_program


@pytest.fixture(scope="session")
def node() -> Path:
    """A Node that can run the SDKs, which are installed."""
    return node_program(installed(SDKS))


@pytest.fixture(scope="session")
def agents() -> Path:
    """The `node_modules` of the coding agents."""
    return installed(AGENTS)
