"""These tests run in an environment of their own (scripts/differential); elsewhere there is nothing to collect."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("litellm") and find_spec("llm_rosetta") else ["*"]
