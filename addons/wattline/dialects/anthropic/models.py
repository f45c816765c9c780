"""What Claude models differ in, told by their names.

Other names (aliases, models of other makers behind an Anthropic-like API) are taken to accept what the API
has always had.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)*(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model accepts."""

    budget: bool = True
    """`thinking` of type `enabled` with `budget_tokens`: models from 3.7 to 4.6."""
    adaptive: bool = False
    """`thinking` of type `adaptive` with `output_config.effort`: models from 4.6."""
    sampling: bool = True
    """`temperature`, `top_p`, `top_k`: models up to 4.6."""
    both: bool = True
    """`temperature` and `top_p` in one request: models before 4.1."""


_OTHER = Traits()
_NEW = Traits(budget=False, adaptive=True, sampling=False, both=False)


def traits(model: str) -> Traits:
    """The traits of a model. A Claude without a version that can be read is a new one."""
    name = model.lower()
    if "claude" not in name:
        return _OTHER
    found = _CLAUDE.search(name)
    if found is None:
        return _NEW
    version = (int(found[1]), int(found[2] or 0))
    if version >= (4, 7):
        return _NEW
    return Traits(version >= (3, 7), version >= (4, 6), both=version < (4, 1))
