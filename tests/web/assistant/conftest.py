"""A sidecar for tests of the assistant's pages."""

from __future__ import annotations

import pytest

from kit.assistant import assisting
from kit.books import check_books


@pytest.fixture
async def assistant(tmp_path):
    """In keys mode, with one provider. The books are checked in the end."""
    async with assisting(tmp_path) as found:
        yield found
    check_books(found.running)
