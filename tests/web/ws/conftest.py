"""A sidecar for tests of `/ws`."""

from __future__ import annotations

import pytest

from kit.books import check_books
from kit.sidecars import running


@pytest.fixture
async def sidecar(tmp_path):
    """In open mode, with one provider. The books are checked in the end."""
    async with running(tmp_path, 1) as found:
        yield found
    check_books(found)
