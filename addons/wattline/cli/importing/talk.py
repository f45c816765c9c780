"""Dialogs, system messages and referrals of the first gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wattline.cli.importing.people import People, Refuse, user_of
from wattline.service.importing.rows import DialogRow, ReferralRow, SystemRow

MESSAGES: Final = 1_000
"""Of one dialog: the newest."""
CHARACTERS: Final = 2 * 1024 * 1024
"""Of one dialog."""


def dialogs(
    rows: list[tuple[str, Any]], people: People, refuse: Refuse
) -> Iterator[tuple[str, DialogRow]]:
    """One row for each user; a second dialog of the same is refused."""
    seen: set[str] = set()
    for place, row in rows:
        user = user_of(row, "name") if isinstance(row, dict) else None
        if user is None or not isinstance(row.get("messages"), list):
            refuse(place, "no dialog with a name and messages")
            continue
        user = people.name(user)
        messages, dropped = _messages(row["messages"])
        if dropped:
            refuse(
                f"{place}.messages", f"{_count(dropped, 'message')} no text of user or assistant"
            )
        if user in seen:
            refuse(place, "a second dialog of the same user")
        elif messages:
            seen.add(user)
            kept = _newest(messages)
            if len(kept) < len(messages):
                refuse(f"{place}.messages", "only its newest messages fit")
            yield place, DialogRow(user, kept, user in people.found)


def systems(
    rows: list[tuple[str, Any]], people: People, refuse: Refuse
) -> Iterator[tuple[str, SystemRow]]:
    """One row for each user."""
    seen: set[str] = set()
    for place, row in rows:
        user = user_of(row, "userId") if isinstance(row, dict) else None
        content = row.get("systemMessage") if user is not None else None
        if user is None or not isinstance(content, str) or not content or not _sound(content):
            refuse(place, "no userId with a systemMessage")
            continue
        user = people.name(user)
        if user in seen:
            refuse(place, "a second system message of the same user")
            continue
        seen.add(user)
        yield place, SystemRow(user, content, user in people.found)


def referrals(
    rows: list[tuple[str, Any]], people: People, refuse: Refuse
) -> Iterator[tuple[str, ReferralRow]]:
    """One row for each user that was referred. A row that names no referrer says nothing."""
    seen: dict[str, str] = {}
    for place, row in rows:
        if not isinstance(row, dict):
            refuse(place, "no referral")
            continue
        referrer = _first(row, "referrer_id", "referrerId", "parent")
        referred = _first(row, "referred_id", "referredId", "id")
        if referred is None:
            refuse(place, "no user that was referred")
        if referrer is None or referred is None:
            continue
        referrer, referred = people.name(referrer), people.name(referred)
        if referred in seen:
            if seen[referred] != referrer:
                refuse(place, "the same user was referred by another before")
            continue
        seen[referred] = referrer
        coming = referrer in people.found and referred in people.found
        yield place, ReferralRow(referrer, referred, coming)


def _first(row: dict[str, Any], *names: str) -> str | None:
    return next((user for name in names if (user := user_of(row, name)) is not None), None)


def _messages(found: list[Any]) -> tuple[list[tuple[str, str]], int]:
    """Those that say something, and how many don't."""
    taken: list[tuple[str, str]] = []
    for one in found:
        role, text = (
            (one.get("role"), _text(one.get("content"))) if isinstance(one, dict) else ("", "")
        )
        if role in ("user", "assistant") and text:
            taken.append((role, text))
    return taken, len(found) - len(taken)


def _text(content: Any) -> str:
    """Text, or the texts among parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    sound = isinstance(content, str) and len(content) <= CHARACTERS and _sound(content)
    return content if sound else ""


def _sound(text: str) -> bool:
    """It has no half of a surrogate pair, which no file keeps."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _newest(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    size = 0
    for role, text in reversed(messages[-MESSAGES:]):
        size += len(text)
        if size > CHARACTERS:
            break
        kept.append((role, text))
    return kept[::-1]


def _count(number: int, word: str) -> str:
    return f"{number} {word}s are" if number > 1 else f"a {word} is"
