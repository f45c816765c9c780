"""How a provider or a model did, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wattline.service.accounts.key_facts import energy
from wattline.store.statistics import Performance


def performance_facts(row: Performance, excluded: Callable[[str], bool]) -> dict[str, Any]:
    """One row. Excluded errors are shown, but count in no rate, and neither do clients that went away."""
    expected = sum(count for code, count in row.errors if excluded(code))
    failed = sum(count for _, count in row.errors) - expected
    judged = row.complete + failed
    return {
        "provider": row.provider,
        **({"model": row.model} if row.model else {}),
        "attempts": row.attempts,
        "calls": row.calls,
        "complete": row.complete,
        "failed": failed,
        "aborted": row.aborted,
        "truncated": row.truncated,
        "excludedErrors": expected,
        "errorRate": round(failed / judged, 6) if judged else None,
        "errors": dict(row.errors),
        "promptTokens": row.prompt,
        "completionTokens": row.completion,
        "energy": energy(row.energy_micro),
        "avgFirstByteMs": _rounded(row.first_byte_ms),
        "avgResponseMs": _rounded(row.total_ms),
        "medianResponseMs": row.median_ms,
        "p95ResponseMs": row.slow_ms,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
