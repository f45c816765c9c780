"""docs/dialects.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattline.dialects.reference import FEATURES, FILE, PROVIDERS, main, page, verdict

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_one_that_the_code_makes(tmp_path):
    assert (ROOT / FILE).read_text(encoding="utf-8") == page()
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_every_provider_can(provider):
    for feature in ("system messages", "several turns", "max_tokens", "temperature"):
        assert verdict(provider, FEATURES[feature]) == "yes", feature


def test_what_some_can_not():
    assert verdict("anthropic", FEATURES["n above 1"]) == "no"
    assert verdict("generate", FEATURES["tools"]) == "no"
    assert verdict("openai", FEATURES["tools"]) == "yes"
