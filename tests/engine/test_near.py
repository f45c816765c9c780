from __future__ import annotations

from time import thread_time

from wattline.engine.near import near, quoted

MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "deepseek-chat", "o1-mini")


def test_the_likeliest_come_first():
    assert near("gpt-4oo", MODELS)[0] == "gpt-4o"
    assert near("GPT-4O", MODELS)[0] == "gpt-4o"
    assert near("claude-3.5-sonnet", MODELS) == ("claude-3-5-sonnet",)
    assert near("zzz", MODELS) == ()
    assert near("", MODELS) == ()
    assert near("gpt", ()) == ()


def test_a_name_that_is_asked_for_in_bad_faith_costs_little():
    names = [f"provider/model-{number:05}" for number in range(5_000)]
    assert near("x" * 100_000, names) == ()
    began = thread_time()
    found = near("provider/model-00777x", names)
    assert thread_time() - began < 10
    assert len(found) == 3


def test_a_name_in_a_sentence_is_short_and_on_one_line():
    assert quoted("gpt\n4") == "'gpt\\n4'"
    assert len(quoted("a" * 1_000)) < 90
