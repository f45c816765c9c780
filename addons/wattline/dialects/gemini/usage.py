"""Token counts as Gemini gives them: reading them with suspicion, writing them with energy.

Protobuf's JSON leaves zeros out, so a count that is missing beside others is 0. Thoughts are counted
beside the candidates, the prompts of tools beside the prompt.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wattline.dialects.base import Energy
from wattline.dialects.splice import dumps, edit_object
from wattline.wire.call import Operation
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


class Count(NamedTuple):
    """What a `usageMetadata` says: a usage, nothing, or something that can't be true."""

    usage: Usage | None = None
    bad: bool = False


ABSENT = Count()
BAD = Count(bad=True)

_COUNTS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)


def read_usage(value: Any) -> Count:
    """The counts in a parsed `usageMetadata`; null and an object without counts are absent, not bad."""
    if value is None:
        return ABSENT
    if not isinstance(value, dict):
        return BAD
    counts = [value.get(key) for key in _COUNTS]
    for count in counts:
        if count is not None and (type(count) is not int or not 0 <= count <= MAX_TOKENS):
            return BAD
    return _counts(*counts)


def _counts(
    prompt: int | None,
    candidates: int | None,
    thoughts: int | None,
    tools: int | None,
    cached: int | None,
    total: int | None,
) -> Count:
    reasoning = thoughts or 0
    completion = (candidates or 0) + reasoning
    if prompt is None:
        if total is None or total < completion:
            return ABSENT  # half a usage is none: the prompt is not 0
        prompt = total - completion
    else:
        prompt += tools or 0
    if candidates is None and total is not None:
        completion = max(completion, total - prompt)
    if max(prompt, completion) > MAX_TOKENS:
        return BAD
    return Count(Usage(prompt, completion, min(cached or 0, prompt), min(reasoning, completion)))


def counts(usage: Usage, operation: Operation = Operation.CHAT) -> dict[str, int]:
    """The members of a `usageMetadata` that says this usage."""
    found = {"promptTokenCount": usage.prompt}
    if operation is not Operation.EMBEDDINGS:
        found["candidatesTokenCount"] = usage.completion - usage.reasoning
        if usage.reasoning:
            found["thoughtsTokenCount"] = usage.reasoning
    if usage.cached:
        found["cachedContentTokenCount"] = usage.cached
    found["totalTokenCount"] = usage.total
    return found


def write_usage(
    raw: bytes | None, said: Count, usage: Usage, energy: Energy, operation: Operation
) -> bytes:
    """The JSON of a `usageMetadata` with energy. `raw` is the upstream's own, `said` what it was read as:
    when that is `usage` itself only the energy is new; when it was bad nothing of it is kept. An
    `energy` of the upstream's is replaced.
    """
    changes: dict[str, bytes | None] = {}
    if said.usage != usage:
        changes = {key: dumps(count) for key, count in counts(usage, operation).items()}
        if raw is not None:
            changes = dict.fromkeys(_COUNTS) | changes
    if usage.source is UsageSource.ESTIMATED:
        changes["estimated"] = b"true"
    return edit_object(None if said.bad else raw, changes | {"energy": energy.json.encode()})
