"""docs/rules.md and docs/rules.schema.json, written from the schema: `python -m wattline.rules.reference`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wattline.rules.schema import RulesShape

type Json = dict[str, Any]

EXAMPLES: dict[str, str] = {
    "listen": "listen: {host: 127.0.0.1, port: 8088}",
    "intercept": "intercept: [api.openai.com, '*.openai.azure.com']",
    "tunnel": "tunnel: {policy: listed, hosts: [github.com, '*.pypi.org'], ports: [443]}",
    "auth": (
        "auth:\n"
        "  mode: keys\n"
        "  keys:\n"
        "    alice: ${ALICE_KEY}\n"
        '    batch: {key: "${BATCH_KEY}", tier: bulk}'
    ),
    "cors": "cors: {origins: [https://app.example, 'http://localhost:3000']}",
    "limits": "limits: {json_bytes: 1048576, deadline: 120, concurrent: 100}",
    "ledger": "ledger: {sync: full, down: refuse}",
    "log": "log: {level: warning, format: json, file: /var/log/wattline}",
    "energy": "energy: {margin: 0.5, default_rate: 2}",
    "audio": "audio: {per_second: 15, per_character: 0.5}",
    "cache": "cache: {enabled: true, ttl: 10m, hit_energy: 0.1}  # and `cache: false` on a rule",
    "affinity": "affinity: {enabled: true, headers: [x-session-id], ttl: 10m, diagnose: true}",
    "proof": "proof: {tunnels: true, passed: true}",
    "health": (
        "health: {failures: 5, window: 60s, cooldown: 10s, longest: 5m, disable_after: 2, ignore: [http_503]}"
    ),
    "accounts": (
        "accounts: {start_balance: 10000, bonus_user: '666', bonus_above: 100000, referral_bonus: 5000}"
    ),
    "dialogs": "dialogs: {messages: 40, tokens: 8000}",
    "tiers": (
        "tiers:\n"
        "  free: {rps: 2, rpm: 20, rpd: 500, tpm: 20000}\n"
        "  bulk: {rpm: 600, min_score: 0.5}"
    ),
    "windows": (
        "windows:\n"
        "  per-address: {calls: 100, per: 15m, scope: address, over: requests}\n"
        "  per-caller: {calls: 1000, per: 1h, scope: principal}\n"
        "  nightly: {tokens: 500000, per: 1h}  # a provider names it: window: nightly"
    ),
    "providers": (
        "providers:\n"
        "  groq:\n"
        "    url: https://api.groq.com/openai/v1\n"
        "    key: ${GROQ_API_KEY}\n"
        "    rpm: 30\n"
        "    models:\n"
        "      - {id: llama-3.1-8b-instant, tier: fast, context: 131072}\n"
        "  codex:\n"
        "    either:\n"
        "      - url: ${CODEX_BRIDGE_URL|OPENAI_CODEX_URL}/v1\n"
        "      - {url: https://api.github.com/copilot_inner/v2, "
        'key: "${GITHUB_CODEX_TOKEN}"}'
    ),
    "models": (
        "models:\n"
        "  gpt-4o:\n"
        "    provider: openai\n"
        "    rate: 1.2\n"
        "    chain: [gpt-4o, deepseek/deepseek-chat, groq/llama-3.3-70b-versatile]\n"
        "    aliases: [best]"
    ),
    "rules": (
        "rules:\n"
        "  - name: no-images\n"
        "    when: {images: true, principal: 'guest-*'}\n"
        "    deny: Guests can't send images.\n"
        "  - name: night\n"
        "    when: {model: ['gpt-*', o3-mini], hour: 22-6, timezone: Europe/Berlin}\n"
        "    try: [groq, gpt-4o-mini]\n"
        "    on: [context_length]\n"
        "  - name: split\n"
        "    when: {model: mix, window: {name: groq, over: 0.8}}\n"
        "    try: {weighted: {gpt-4o-mini: 3, groq/llama-3.1-8b-instant: 1}}\n"
        "    set: {defaults: {temperature: 0.2}}\n"
        "  - name: rest\n"
        "    try: model"
    ),
}
"""A short one for each section; a test loads them."""

_HEAD = """\
# rules.yaml

This page is written from the schema by `python -m wattline.rules.reference`; a test keeps the two equal.

`wattline check` reads the file and tells every mistake with its line. A saved change takes effect on the
next call; a file with a mistake changes nothing. Put this line first, and editors complete and check it:
`# yaml-language-server: $schema=./docs/rules.schema.json`

## How values are written

* Plain YAML without anchors, aliases, tags and merge keys. A key may stand only once in a mapping.
* Only `true` and `false` are booleans and only plain decimal numbers are numbers: `yes`, `no`, `on`, `off`,
  `010`, `12:30` and dates are text.
* `${NAME}` draws on the environment, `${A|B}` takes the first that is set, `${NAME:-text}` has a fallback.
  This works in `url`, `key`, `headers` and `auth.keys`, and is refused elsewhere. An empty variable counts
  as not set. A key is always one reference, never text: a secret has no place in this file.
* A provider with a variable that is not set is skipped, and the reason names the variable.
* Patterns know `*` (any run of characters) and `?` (one character). All else stands for itself; case counts.
* Names in a chain or in `try` are looked up in this order: an entry or alias under `models`, `provider/model`,
  a provider (the model that was asked for, at that provider), an id that one provider lists.
* A model that its provider's `models` do not list is warned about, with the nearest one: the list may be
  short, or the name wrong. Without a list nothing is said.
* `OPENAI_API_KEY` is OpenAI's key, drawn as `OPENAI_ORIGINAL_API_KEY`, when `OPENAI_BASE_URL` is not set or
  names OpenAI or this sidecar. With another base URL both are GoAPI's, drawn as `GOAPI_API_KEY` and
  `GOAPI_BASE_URL`.
"""


def json_schema() -> Json:
    """JSON Schema (draft 2020-12) of rules.yaml, for editors."""
    schema = RulesShape.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "wattline rules.yaml"
    return schema


def markdown() -> str:
    """The reference, a table for each section and for each mapping below it."""
    schema = json_schema()
    parts = [_HEAD]
    for name, section in schema["properties"].items():
        parts.append(f"\n## `{name}`\n\n{_meaning(name)}\n")
        parts.extend(_section(name, section, schema))
        if name in EXAMPLES:
            parts.append(f"\n```yaml\n{EXAMPLES[name]}\n```\n")
    return "".join(parts)


def _meaning(section: str) -> str:
    return RulesShape.model_fields[section].description or ""


def _section(name: str, section: Json, schema: Json) -> Iterator[str]:
    shapes = list(_shapes_below(section))
    if not shapes:
        yield f"\nType: {_type(section, schema)}. Default: {_default(section) or 'empty'}.\n"
    shown: set[str] = set()
    while shapes:
        shape = shapes.pop(0)
        if shape in shown:
            continue
        shown.add(shape)
        definition = schema["$defs"][shape]
        if len(shown) > 1:
            yield f"\n### `{name}`: {_title(shape)}\n\n{definition.get('description', '')}\n"
        yield from _table(definition, schema)
        for part in definition["properties"].values():
            shapes.extend(_shapes_below(part))


def _title(shape: str) -> str:
    words = shape.removesuffix("Shape")
    return {"Access": "one of `either`", "ListedModel": "one of `models`"}.get(
        words, f"`{words.lower()}`"
    )


def _table(definition: Json, schema: Json) -> Iterator[str]:
    yield "\n| key | type | default | meaning |\n|---|---|---|---|\n"
    required = definition.get("required", [])
    for key, part in definition["properties"].items():
        default = "needed" if key in required else _default(part)
        meaning = part.get("description", "").replace("|", "\\|")
        yield f"| `{key}` | {_type(part, schema)} | {default} | {meaning} |\n"


def _default(part: Json) -> str:
    default = part.get("default")
    if default is None or default in ({}, []):
        return ""
    return f"`{json.dumps(default)}`"


def _shapes_below(part: Any) -> list[str]:
    """Names of the definitions that a part refers to, in order."""
    if isinstance(part, list):
        return [name for item in part for name in _shapes_below(item)]
    if not isinstance(part, dict):
        return []
    if "$ref" in part:
        return [part["$ref"].rpartition("/")[2]]
    kept = ("anyOf", "oneOf", "allOf", "items", "additionalProperties")
    found = [name for key in kept for name in _shapes_below(part.get(key))]
    return found + _shapes_below(list(part.get("patternProperties", {}).values()))


def _type(part: Json, schema: Json) -> str:
    """A part's type in words."""
    if "$ref" in part:
        return "mapping"
    if "const" in part:
        return f"`{json.dumps(part['const'])}`".replace('"', "")
    if "enum" in part:
        return ", ".join(f"`{word}`" for word in part["enum"])
    for union in ("anyOf", "oneOf"):
        if union in part:
            kinds = [_type(one, schema) for one in part[union] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if part.get("type") == "array":
        return f"list of {_type(part['items'], schema)}" if part.get("items") else "list"
    if part.get("type") == "object":
        below = next(iter(part.get("patternProperties", {}).values()), None)
        below = below or part.get("additionalProperties")
        return f"mapping of {_type(below, schema)}" if isinstance(below, dict) else "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean"}
    return names.get(str(part.get("type")), "any value") + _range(part)


def _range(part: Json) -> str:
    least, most = part.get("minimum"), part.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    if least is not None:
        return f", {least} or more"
    if "exclusiveMinimum" in part:
        return f", more than {part['exclusiveMinimum']}"
    return ""


def write(folder: Path) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.md").write_text(markdown(), encoding="utf-8")
    text = json.dumps(json_schema(), indent=1, ensure_ascii=False)
    (folder / "rules.schema.json").write_text(f"{text}\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """The command line. Exits with 2 when it is misused."""
    parser = argparse.ArgumentParser(
        prog="python -m wattline.rules.reference",
        description="Write rules.md and rules.schema.json, made from the schema of rules.yaml.",
    )
    parser.add_argument(
        "folder", nargs="?", type=_folder, default=Path("docs"), help="where to (default: docs)"
    )
    write(parser.parse_args(arguments).folder)


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the folder's name is empty")
    return Path(text)


if __name__ == "__main__":
    main(sys.argv[1:])
