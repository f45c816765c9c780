"""Files of cases: YAML or JSON, one case, a list, or `cases:` with a list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

from wattline.cli.failure import USAGE, Failure
from wattline.rules.yaml_wording import yaml_wording

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 8 * 1024 * 1024


def case_files(paths: Iterable[Path]) -> list[Path]:
    """The files, those in folders included, in the order of their names. Raises Failure for none."""
    found = [file for path in paths for file in sorted(_under(path))]
    if not found:
        raise Failure(f"no cases: no file ends in {', '.join(SUFFIXES)}", USAGE)
    return found


def _under(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise Failure(f"{path}: there is no such file or folder", USAGE)
    if not path.is_dir():
        yield path
        return
    for child in path.rglob("*"):
        if child.suffix in SUFFIXES and child.is_file():
            yield child


def read_file(path: Path) -> list[Any]:
    """The cases in it as they are written. Raises Failure."""
    if path.stat().st_size > MAX_BYTES:
        raise Failure(f"{path}: it is larger than {MAX_BYTES} bytes", USAGE)
    try:
        text = path.read_text("utf-8")
        value = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise Failure(f"{path}{place}: {yaml_wording(error)}", USAGE) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise Failure(f"{path}: it can't be read: {str(error)[:300]}", USAGE) from error
    if isinstance(value, dict) and "cases" in value:
        value = value["cases"]
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def write_file(path: Path, cases: Sequence[Any]) -> None:
    """Write cases as a list. Comments of an earlier file are lost. Raises OSError."""
    if path.suffix == ".json":
        text = json.dumps(cases, indent=2, default=str) + "\n"
    else:
        text = yaml.safe_dump(list(cases), sort_keys=False, allow_unicode=True, width=100)
    whole = path.with_name(f"{path.name}.new")
    try:
        whole.write_text(text, "utf-8")
        whole.replace(path)
    except OSError:
        whole.unlink(missing_ok=True)
        raise
