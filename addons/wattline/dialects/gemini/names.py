"""Names of fields. Requests may use `camelCase` or `snake_case` (both are protobuf's JSON); what is written
and what providers answer is `camelCase`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNDERSCORE = re.compile(r"_([a-z0-9])")
_CAPITAL = re.compile(r"([A-Z])")


def camel(key: str) -> str:
    """`max_output_tokens` as `maxOutputTokens`."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), key) if "_" in key else key


def snake(key: str) -> str:
    """`maxOutputTokens` as `max_output_tokens`."""
    return _CAPITAL.sub(lambda found: "_" + found[1].lower(), key)


def renamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its own keys in camelCase; what is in it stays. A field that is given in both
    ways is the one in camelCase.
    """
    found = {camel(key): value for key, value in fields.items() if "_" in key}
    found.update((key, value) for key, value in fields.items() if "_" not in key)
    return found


def value(fields: Mapping[str, Any], key: str) -> Any:
    """A field by its camelCase name, however it is spelled."""
    found = fields.get(key)
    return fields.get(snake(key)) if found is None else found


def spelled(keys: Mapping[str, Any] | frozenset[str] | set[str], key: str) -> str:
    """A field's name as an object that has it spells it; in camelCase when it has it not."""
    other = snake(key)
    return other if key not in keys and other in keys else key
