from __future__ import annotations

from wattline.engine.rest import KEPT, Rest, Resting


def test_a_provider_rests_until_its_time():
    resting = Resting()
    assert resting.resting("groq", 0.0) is None
    resting.rest("groq", 10.0, "it asked to wait", limited=True)
    assert resting.resting("groq", 9.9) == Rest(10.0, "it asked to wait", limited=True)
    assert resting.resting("openai", 9.9) is None
    assert resting.resting("groq", 10.0) is None


def test_a_short_wait_does_not_end_a_longer_rest():
    """A 429 with a Retry-After doesn't heal a key that was refused."""
    resting = Resting()
    resting.rest("groq", 300.0, "its key was refused")
    resting.rest("groq", 10.0, "it asked to wait", limited=True)
    assert resting.resting("groq", 20.0) == Rest(300.0, "its key was refused")
    resting.rest("groq", 400.0, "it asked to wait", limited=True)
    assert resting.resting("groq", 350.0) == Rest(400.0, "it asked to wait", limited=True)


def test_a_time_that_is_no_number_is_no_rest():
    resting = Resting()
    resting.rest("groq", float("nan"), "odd")
    assert resting.resting("groq", 0.0) is None


def test_a_reload_ends_all_rests():
    resting = Resting()
    resting.rest("a", 300.0, "x")
    resting.rest("b", 300.0, "x")
    resting.clear()
    assert resting.resting("a", 0.0) is None
    assert resting.resting("b", 0.0) is None


def test_it_does_not_grow_without_end():
    """Callers' own accounts come and go, and nobody may ask for them again."""
    resting = Resting()
    resting.rest("p", 5.0, "it asked to wait")
    for n in range(3 * KEPT):
        resting.rest(f"p of u{n}", float(n + 10), "its key was refused")
    assert len(resting._rests) <= KEPT
    assert resting.resting("p", 0.0) is not None, "the operator's own stays"
    assert resting.resting(f"p of u{3 * KEPT - 1}", 0.0) is not None
