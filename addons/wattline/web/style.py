"""The shape of errors that a request's client expects."""

from __future__ import annotations

from collections.abc import Mapping

from wattline.service.entrance.local_paths import local_path

ANTHROPIC_VERSION = "anthropic-version"


def style_of(path: str, headers: Mapping[str, str]) -> str:
    """That of the path, or Anthropic's where its SDK asks on a path that it shares with OpenAI's."""
    found = local_path(path)
    style = "openai" if found is None else found[1].style
    return "anthropic" if style == "openai" and ANTHROPIC_VERSION in headers else style
