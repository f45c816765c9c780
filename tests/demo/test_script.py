from __future__ import annotations

import pytest

from wattline.demo.faults import FaultError
from wattline.demo.script import Script

CHAT = "/v1/chat/completions"


def _take(script: Script, model: str | None = "m", path: str = CHAT, method: str = "POST"):
    faults = script.take(method=method, model=model, path=path)
    return faults and faults.spec


def test_faults_come_in_their_order_then_none():
    script = Script()
    script.add(["500", "ok", "stall_first"])
    assert [_take(script) for _ in range(4)] == ["500", "ok", "stall_first", None]


def test_the_nearest_plan_goes_first():
    script = Script()
    script.add(["500"])
    script.add(["502"], path=CHAT)
    script.add(["503"], model="m")
    assert [_take(script) for _ in range(3)] == ["503", "502", "500"]


def test_another_model_keeps_its_queue():
    script = Script()
    script.add(["503"], model="other")
    assert _take(script) is None
    assert script.left() == 1
    assert _take(script, model="other") == "503"


def test_a_get_follows_only_a_plan_for_its_path():
    script = Script()
    script.add(["500"])
    script.always("503")
    assert _take(script, None, "/v1/models", "GET") is None
    script.add(["429"], path="/v1/models")
    assert _take(script, None, "/v1/models", "GET") == "429"


def test_always_holds_when_the_queue_is_empty_until_taken_back():
    script = Script()
    script.always("503")
    script.add(["ok"])
    assert [_take(script) for _ in range(3)] == ["ok", "503", "503"]
    script.clear()
    assert _take(script) is None


def test_a_bad_fault_queues_nothing():
    script = Script()
    with pytest.raises(FaultError):
        script.add(["500", "nonsense"])
    assert script.left() == 0
