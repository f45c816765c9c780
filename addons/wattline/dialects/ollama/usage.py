"""Token counts as Ollama gives them: members of the answer's last object."""

from __future__ import annotations

from typing import Any

from wattline.dialects.base import Energy
from wattline.dialects.ollama.line import Line
from wattline.dialects.openai.usage import ABSENT, BAD, Count
from wattline.dialects.splice import dumps
from wattline.wire.usage import MAX_TOKENS, Usage, UsageSource


def read_counts(line: Line) -> Count:
    """What `prompt_eval_count` and `eval_count` say.

    Ollama leaves a count of 0 out. A missing `eval_count` beside the other is such a 0; a missing
    `prompt_eval_count` is not: older servers left it out for prompts that they had in their cache.
    """
    prompt, completion = line.prompt_eval_count, line.eval_count
    if prompt is None and completion is None:
        return ABSENT
    if not (_possible(prompt) and _possible(completion)):
        return BAD
    return ABSENT if prompt is None else Count(Usage(prompt, completion or 0))


def _possible(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= MAX_TOKENS)


def counts(usage: Usage | None) -> dict[str, int]:
    """The members that tell a usage."""
    if usage is None:
        return {}
    return {"prompt_eval_count": usage.prompt, "eval_count": usage.completion}


def changes(
    said: Count, usage: Usage, energy: Energy, *, completion: bool = True
) -> dict[str, bytes | None]:
    """The edits that give an object of an upstream's its energy, and its counts where it had none or
    wrong ones. Without `completion` (embeddings) only the prompt is counted.
    """
    found: dict[str, bytes | None] = {}
    if said.usage != usage:
        found["prompt_eval_count"] = dumps(usage.prompt)
        if completion:
            found["eval_count"] = dumps(usage.completion)
    if usage.source is UsageSource.ESTIMATED:
        found["estimated"] = b"true"
    return found | {"energy": energy.json.encode()}
