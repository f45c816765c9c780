"""Token counts as OpenAI's answers give them: reading them with suspicion, writing them with energy.

Chat, completions and embeddings count `prompt_tokens` and `completion_tokens`; the Responses API,
images and transcriptions count `input_tokens` and `output_tokens`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wattline.dialects.base import Energy
from wattline.dialects.splice import dumps, edit_object
from wattline.wire.call import Operation
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


class Count(NamedTuple):
    """What a `usage` member says: a usage, nothing, or something that can't be true."""

    usage: Usage | None = None
    bad: bool = False


_OWN_UNITS = (Operation.TRANSCRIPTION, Operation.SPEECH, Operation.IMAGES, Operation.VIDEOS)
"""Their usage may count seconds, pictures or money and no tokens."""

ABSENT = Count()
BAD = Count(bad=True)


class _BadCount(Exception):
    """A count is no integer from 0 to MAX_TOKENS."""


def read_usage(value: Any) -> Count:
    """The counts in a parsed `usage`; null and an object without counts are absent, not bad."""
    if value is None:
        return ABSENT
    if not isinstance(value, dict):
        return BAD
    try:
        return _counts(value)
    except _BadCount:
        return BAD


def _counts(value: dict[str, Any]) -> Count:
    prompt = _first(value, "prompt_tokens", "input_tokens")
    completion = _first(value, "completion_tokens", "output_tokens")
    total = _first(value, "total_tokens")
    cached = _detail(value, "cached_tokens", "prompt_tokens_details", "input_tokens_details")
    written = _detail(value, "cache_write_tokens", "prompt_tokens_details", "input_tokens_details")
    reasoning = _detail(
        value, "reasoning_tokens", "completion_tokens_details", "output_tokens_details"
    )
    if prompt is None and completion is None:
        if total is None:
            return ABSENT
        prompt, completion = total, 0
    elif prompt is None or completion is None:
        if total is None:
            return ABSENT  # half a usage is none: the other half is not 0
        known = prompt if prompt is not None else completion
        other = max(0, total - (known or 0))
        prompt = other if prompt is None else prompt
        completion = other if completion is None else completion
    if total is not None and reasoning and total == prompt + completion + reasoning:
        completion += reasoning  # xAI counts reasoning beside the completion
    if completion > MAX_TOKENS:
        return BAD
    cached = min(cached, prompt)
    return Count(
        Usage(
            prompt,
            completion,
            cached,
            min(reasoning, completion),
            written=min(written, prompt - cached),
        )
    )


def _first(value: dict[str, Any], *keys: str) -> int | None:
    for key in keys:
        found = value.get(key)
        if found is not None:
            return _whole(found)
    return None


def _detail(value: dict[str, Any], key: str, *places: str) -> int:
    for place in places:
        details = value.get(place)
        if details is None:
            continue
        if not isinstance(details, dict):
            raise _BadCount
        return _first(details, key) or 0
    return 0


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _BadCount
    if not 0 <= value <= MAX_TOKENS or value != int(value):
        raise _BadCount
    return int(value)


def write_usage(
    operation: Operation, raw: bytes | None, said: Count, usage: Usage, energy: Energy
) -> bytes:
    """The JSON of a `usage` member with energy. `raw` is the upstream's own, `said` what it was read as:
    when that is `usage` itself only the energy is new; when it was bad nothing of it is kept. An
    `energy` of the upstream's is replaced.
    """
    counts: dict[str, bytes | None] = {}
    if said.usage != usage and not (raw is not None and operation in _OWN_UNITS and not said.bad):
        counts = _members(operation, usage)
    if usage.source is UsageSource.ESTIMATED:
        counts["estimated"] = b"true"
    return edit_object(None if said.bad else raw, counts | {"energy": energy.json.encode()})


def _members(operation: Operation, usage: Usage) -> dict[str, bytes | None]:
    prompt, completion, total = map(dumps, (usage.prompt, usage.completion, usage.total))
    if operation in (Operation.EMBEDDINGS, Operation.RERANK):
        return {"prompt_tokens": prompt, "total_tokens": total}
    if operation in (Operation.CHAT, Operation.COMPLETION, Operation.MODERATIONS):
        found: dict[str, bytes | None] = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": total,
        }
        if usage.cached or usage.written:
            read = {"cached_tokens": usage.cached}
            wrote = {"cache_write_tokens": usage.written} if usage.written else {}
            found["prompt_tokens_details"] = dumps(read | wrote)
        if usage.reasoning:
            found["completion_tokens_details"] = dumps({"reasoning_tokens": usage.reasoning})
        return found
    return {
        "input_tokens": prompt,
        "input_tokens_details": dumps(
            {"cached_tokens": usage.cached, "cache_write_tokens": usage.written}
        ),
        "output_tokens": completion,
        "output_tokens_details": dumps({"reasoning_tokens": usage.reasoning}),
        "total_tokens": total,
    }
