from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from wattline.rules.load import load
from wattline.rules.reference import EXAMPLES, json_schema, main, markdown, write
from wattline.rules.schema import RulesShape

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()


def fits(value: Any, part: dict[str, Any]) -> bool:
    """The part of JSON Schema that the file uses; an unknown word in it is an error."""
    known = {
        "$ref",
        "$schema",
        "$defs",
        "title",
        "description",
        "default",
        "type",
        "const",
        "enum",
        "anyOf",
        "oneOf",
        "items",
        "minItems",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "propertyNames",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "minLength",
        "maxLength",
        "pattern",
    }
    assert set(part) <= known, set(part) - known
    if "$ref" in part and not fits(value, SCHEMA["$defs"][part["$ref"].rpartition("/")[2]]):
        return False
    if "anyOf" in part and not any(fits(value, one) for one in part["anyOf"]):
        return False
    if "oneOf" in part and sum(fits(value, one) for one in part["oneOf"]) != 1:
        return False
    if ("const" in part and value != part["const"]) or (
        "enum" in part and value not in part["enum"]
    ):
        return False
    return has_type(value, part) and in_bounds(value, part)


def has_type(value: Any, part: dict[str, Any]) -> bool:
    types = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    kind = part.get("type")
    if kind is None:
        return True
    return isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))


def in_bounds(value: Any, part: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return re.search(part.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return len(value) >= part.get("minItems", 0) and all(
            fits(v, part.get("items", {})) for v in value
        )
    if isinstance(value, dict):
        return set(part.get("required", ())) <= set(value) and all(
            member(k, v, part) for k, v in value.items()
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        over = value > part.get("exclusiveMinimum", value - 1)
        return over and part.get("minimum", value) <= value <= part.get("maximum", value)
    return True


def member(key: str, value: Any, part: dict[str, Any]) -> bool:
    if key in part.get("properties", {}):
        return fits(value, part["properties"][key])
    for pattern, below in part.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return fits(value, below)
    more = part.get("additionalProperties", True)
    return fits(value, more) if isinstance(more, dict) else bool(more)


@pytest.mark.parametrize("name", ["rules.md", "rules.schema.json"])
def test_the_written_files_are_what_the_schema_says(name, tmp_path):
    """`python -m wattline.rules.reference` writes them anew."""
    write(tmp_path)
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(
        encoding="utf-8"
    )


def test_every_key_is_explained():
    page = markdown()
    for definition in SCHEMA["$defs"].values():
        for key, part in definition.get("properties", {}).items():
            assert part.get("description"), f"{definition['title']}.{key}"
            assert f"| `{key}` |" in page
    for name in RulesShape.model_fields:
        assert f"\n## `{name}`\n" in page


def test_the_shipped_file_fits_the_json_schema():
    value = yaml.safe_load((ROOT / "rules.yaml").read_text(encoding="utf-8"))
    assert fits(value, SCHEMA)
    assert json.loads((ROOT / "docs" / "rules.schema.json").read_text(encoding="utf-8")) == SCHEMA


@pytest.mark.parametrize(
    "change",
    [
        {"rules": []},
        {"rules": [{"name": "a", "try": "modle"}]},
        {"rules": [{"name": "a", "try": {"teir": "fast"}}]},
        {"rules": [{"name": "a", "when": {"modle": "x"}, "try": "model"}]},
        {"providers": {"a": {"url": "https://h", "key": "sk-literal"}}},
        {"providers": {"a": {"url": "https://h", "rpm": 0}}},
        {"listen": {"port": 70_000}},
        {"cash": {}},
    ],
)
def test_the_json_schema_refuses_what_the_loader_refuses(change):
    assert not fits({"rules": [{"name": "a", "try": "model"}], **change}, SCHEMA)


def test_each_section_has_an_example_that_loads():
    assert set(EXAMPLES) == set(RulesShape.model_fields) - {"version"}
    context = (
        "providers: {openai: {url: 'https://o.test'}, deepseek: {url: 'https://d.test'}, "
        "groq: {url: 'https://g.test', rpm: 1}}\n"
        "models: {gpt-4o: {provider: openai}, gpt-4o-mini: {provider: openai}, "
        "deepseek-chat: {provider: deepseek}}\n"
        "rules: [{name: all, try: model}]\n"
    )
    parts = dict(line.split(":", 1) for line in context.splitlines())
    env = {"ALICE_KEY": "alice-0123456789", "BATCH_KEY": "batch-0123456789"}
    for name, example in EXAMPLES.items():
        rest = "".join(f"{key}:{text}\n" for key, text in parts.items() if key != name)
        if name == "providers":
            rest = "rules: [{name: all, try: model}]\n"
        load(f"{rest}{example}\n", env=env)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["-h"], 0), (["--nope"], 2), ([""], 2), (["a", "b"], 2)],
)
def test_options_are_no_folders(arguments, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code
    assert "usage: python -m wattline.rules.reference" in "".join(capsys.readouterr())
    assert not list(tmp_path.iterdir())


def test_the_files_go_into_the_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["mine"])
    main([])
    for folder in ("mine", "docs"):
        assert {path.name for path in (tmp_path / folder).iterdir()} == {
            "rules.md",
            "rules.schema.json",
        }
