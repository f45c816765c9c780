"""The `options` of a request, which are sampling parameters and settings of the model's runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wattline.dialects.fields import MAX_COUNT, Fields, kind, wrong
from wattline.wire.prompt import Sampling

PREFIX = "options."

_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

SHAPING = frozenset(
    {
        "min_p",
        "typical_p",
        "tfs_z",
        "repeat_last_n",
        "repeat_penalty",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
        "penalize_newline",
    }
)
"""Options that change an answer and that have no neutral form. All others are the runner's, or unknown:
Ollama itself leaves unknown ones out.
"""


class Options(NamedTuple):
    """What a request's options say. `hints` and `extras` are named `options.<name>`."""

    sampling: Sampling
    hints: dict[str, Any]
    extras: dict[str, Any]


def read_options(value: Any) -> Options:
    """Raises ClientFault naming the option that is not what Ollama takes."""
    if value is None:
        return Options(Sampling(), {}, {})
    if not isinstance(value, dict):
        wrong("options", f"'options' must be an object, not {kind(value)}.")
    said = {key: item for key, item in value.items() if item is not None}
    known: dict[str, Any] = {key: _number(said, key) for key in _NUMBERS if key in said}
    hints: dict[str, Any] = {}
    if "top_k" in said:
        known["top_k"] = _whole(said, "top_k")
    # Below these there is no limit and no fixed seed: nothing that another provider must know.
    for key, field, least in (("num_predict", "max_tokens", 1), ("seed", "seed", 0)):
        if key in said:
            found = _whole(said, key)
            if found >= least:
                known[field] = found
            else:
                hints[PREFIX + key] = found
    if "stop" in said:
        known["stop"] = _stop(said["stop"])
    extras = {PREFIX + key: item for key, item in said.items() if key in SHAPING}
    taken = {*_NUMBERS, "top_k", "num_predict", "seed", "stop", *SHAPING}
    hints |= {PREFIX + key: item for key, item in said.items() if key not in taken}
    return Options(Sampling(**known), hints, extras)


def _number(said: Fields, key: str) -> float:
    value = said[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(PREFIX + key, f"'{PREFIX}{key}' must be a number, not {kind(value)}.")
    if isinstance(value, int) and abs(value) > MAX_COUNT:
        wrong(PREFIX + key, f"'{PREFIX}{key}' is too large.", "invalid_value")
    return float(value)


def _whole(said: Fields, key: str) -> int:
    value = said[key]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        wrong(PREFIX + key, f"'{PREFIX}{key}' must be an integer, not {kind(value)}.")
    return value


def _stop(value: Any) -> tuple[str, ...]:
    at = f"{PREFIX}stop"
    if not isinstance(value, list):
        wrong(at, f"'{at}' must be an array of strings, not {kind(value)}.")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            wrong(f"{at}[{index}]", f"'{at}[{index}]' must be a string, not {kind(item)}.")
    return tuple(value)


def write_options(sampling: Sampling) -> dict[str, Any]:
    """The options that a neutral sampling comes to; `n` has none."""
    fields = {
        "num_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return {key: value for key, value in fields.items() if value is not None}


def own(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The options among a prompt's hints or extras, by their names in `options`."""
    return {
        key.removeprefix(PREFIX): value for key, value in fields.items() if key.startswith(PREFIX)
    }
