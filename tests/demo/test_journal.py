from __future__ import annotations

import asyncio
import json

import pytest

from wattline.demo.journal import Ended, Journal


def _open(journal: Journal, path: str = "/v1/models"):
    return journal.open(at=1.0, started=2.0, method="GET", path=path)


def test_requests_are_numbered_and_the_oldest_forgotten():
    journal = Journal(keep=2)
    for _ in range(3):
        _open(journal)
    assert [entry.number for entry in journal.requests] == [2, 3]
    assert journal.count == 3


def test_only_the_first_end_counts():
    journal = Journal()
    entry = _open(journal)
    journal.end(entry, Ended.CLIENT_GONE, 5.0)
    journal.end(entry, Ended.COMPLETE, 6.0)
    assert (entry.ended, entry.ended_at) == (Ended.CLIENT_GONE, 5.0)


async def test_waiting_ends_with_the_change_that_fits():
    journal = Journal()
    waiting = asyncio.ensure_future(journal.wait_for(lambda e: e.events >= 2, count=2))
    first, second = _open(journal), _open(journal)
    first.events = 2
    journal.changed()
    await asyncio.sleep(0)
    assert not waiting.done()
    second.events = 2
    journal.changed()
    assert await waiting is second
    assert await journal.wait_for(lambda e: e.events >= 2) is first


async def test_waiting_has_a_deadline_and_leaves_nothing():
    journal = Journal()
    with pytest.raises(TimeoutError):
        await journal.wait_for(lambda _: False, deadline=0.01)
    assert not journal._waiting


def test_each_request_is_two_lines_in_the_file_at_once(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, contents=True)
    entry = _open(journal)
    entry.headers = (("authorization", "Bearer s3cret"),)
    entry.body = b"a prompt"
    journal.received(entry)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["received"]
    entry.usage = {"prompt_tokens": float("nan"), "completion_tokens": 2}
    journal.end(entry, Ended.COMPLETE, 3.0)
    ended = json.loads(path.read_text().splitlines()[1], parse_constant=pytest.fail)
    assert ended["event"] == "ended"
    assert ended["number"] == 1
    assert ended["ended"] == "complete"
    assert ended["usage"] == {"prompt_tokens": "NaN", "completion_tokens": 2}
    assert "s3cret" not in path.read_text()
    assert "a prompt" not in path.read_text()
    journal.close()
    journal.close()


def test_a_closed_journal_is_opened_again_and_appended(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.received(_open(journal))
    journal.close()
    journal.received(_open(journal))
    journal.close()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_ended_while_its_body_came_has_no_received_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    entry = _open(journal)
    journal.end(entry, Ended.CLIENT_GONE, 3.0)
    journal.received(entry)
    journal.close()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["ended"]
