"""The steps in their order. A new one is appended; one that was released never changes."""

from __future__ import annotations

from wattline.store.migrations import assistants, attempts, logins, memories, operators, users

APPLICATION_ID = 0x77617474
"""In the file's header (https://www.sqlite.org/pragma.html#pragma_application_id)."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (f"PRAGMA application_id = {APPLICATION_ID}", *attempts.STEP_1),
    attempts.STEP_2,
    attempts.STEP_3,
    users.STEP_4,
    operators.STEP_5,
    memories.STEP_6,
    assistants.STEP_7,
    logins.STEP_8,
    memories.STEP_9,
    memories.STEP_10,
    users.STEP_11,
    attempts.STEP_12,
    memories.STEP_13,
)
"""Statements of each step, which is one transaction; a file's version is how many it had."""
