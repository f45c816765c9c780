"""Each disagreement with the oracles is known, and each that is known is still there."""

from __future__ import annotations

import pytest
from comparison import Difference, differences
from judgements import JUDGEMENTS
from page import FILE, judged, page


@pytest.fixture(scope="module")
def found() -> list[Difference]:
    return sorted(set(differences()))


def test_every_disagreement_has_one_judgement(found):
    assert [each.key for each in judged(found)[None]] == []
    twice = [each.key for each in found if sum(one.holds(each.key) for one in JUDGEMENTS) > 1]
    assert twice == []


def test_every_judgement_has_a_disagreement(found):
    groups = judged(found)
    assert [judgement.title for judgement in JUDGEMENTS if not groups[judgement]] == []


def test_the_page_lists_what_was_found(found):
    assert FILE.read_text(encoding="utf-8") == page(found)
