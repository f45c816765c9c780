"""Whose client asks for a path that is no route."""

from __future__ import annotations

import pytest

from wattline.dialects.likely import likely_dialect


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completionz", "openai"),
        ("/", "openai"),
        ("/v1/models/gpt-4o", "openai"),
        ("/v4/x", "openai"),
        ("/v6/x", "openai"),
        ("/api/v1/chat", "openai"),
        ("/v2/models/x:embed", "gemini"),
        ("/v1beta/models/x:embed", "gemini"),
        ("/v1alpha/cachedContents", "gemini"),
        ("/v1/models/x:embed", "gemini"),
        ("/v1/messages/batches", "anthropic"),
        ("/v1/messagez", "anthropic"),
        ("/v3/complete", "anthropic"),
        ("/v5/api/pull", "ollama"),
        ("/api/pull", "ollama"),
    ],
)
def test_it_is_told_by_the_beginning(path, name):
    assert likely_dialect(path) == name
