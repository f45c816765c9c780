"""What is installed is new enough to be safe, and pinned.

An audit tool that can't reach its database passes without having looked. So the versions that mend
known vulnerabilities are written down here.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)(?:; (python_version (?:<|>=) \"3\.\d+\"))?"
)
PYTHONS = ("3.12", "3.13", "3.14")
HERE = ".".join(map(str, sys.version_info[:2]))

SAFE = {
    # package: (first version without the worst that is known, what that was)
    "mitmproxy": ("12.2.2", "GHSA-527g-3w9m-29hv; 11.1.2: the web API through the proxy itself"),
    "h2": ("4.3.0", "CVE-2025-57804: line breaks in header values"),
    "hpack": ("2.3.0", "CVE-2016-6581: header bombs"),
    "h11": ("0.16.0", "CVE-2025-43859: chunk endings"),
    "aiohttp": ("3.14.3", "CVE-2026-22815, -34516, -34519, -34525 and redirects with credentials"),
    "pyyaml": ("5.4", "CVE-2020-14343: code execution by the full loader"),
    "pyjwt": ("2.12.0", "CVE-2026-32597: unknown critical headers; 2.4.0: keys of another kind"),
    "pydantic": ("1.8.2", "CVE-2021-29510: endless loop on infinite dates"),
    "brotli": ("1.0.8", "CVE-2020-8927: overflow on huge input"),
    "cryptography": ("44.0.1", "CVE-2024-12797: raw public keys not verified"),
    "certifi": ("2024.7.4", "CVE-2024-39689: CAs that are no longer trusted"),
    "idna": ("3.7", "CVE-2024-3651: quadratic time"),
    "tornado": ("6.5", "CVE-2025-47287: log flood by form data"),
    "jinja2": ("3.1.6", "CVE-2025-27516: sandbox escape"),
    "werkzeug": ("3.0.6", "CVE-2024-49767: memory of form data"),
    "requests": ("2.32.4", "CVE-2024-47081: netrc credentials to other hosts"),
    "fastapi": ("0.65.2", "CVE-2021-32677: JSON of other content types"),
    "starlette": ("0.49.1", "CVE-2025-62727: quadratic time of Range headers"),
    "uvicorn": ("0.11.7", "CVE-2020-7695: header injection by request paths"),
    "urllib3": ("2.5.0", "CVE-2025-50181: redirects that were switched off"),
}


def pins(python: str = HERE) -> dict[str, str]:
    """Names and versions for this Python; one for each name."""
    text = (ROOT / "constraints.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [PIN.fullmatch(line) for line in lines]
    wrong = [line for line, match in zip(lines, found, strict=True) if match is None]
    assert not wrong, f"constraints.txt may only hold name==version: {wrong}"
    found_here: dict[str, str] = {}
    for match in found:
        marker = Marker(match[3]) if match is not None and match[3] else None
        if match is not None and (marker is None or marker.evaluate({"python_version": python})):
            name = canonicalize_name(match[1])
            assert name not in found_here, f"{name} is pinned twice for Python {python}"
            found_here[name] = match[2]
    return found_here


def needed(name: str, extra: str = "") -> Iterator[str]:
    for line in requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield canonicalize_name(requirement.name)


def closure() -> set[str]:
    """Everything that wattline and its tests need on this machine."""
    found: set[str] = set()
    waiting = [*needed("wattline"), *needed("wattline", "dev")]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needed(name)
    return found


@pytest.mark.parametrize("name", SAFE)
def test_installed_versions_are_above_known_vulnerabilities(name: str) -> None:
    least, why = SAFE[name]
    try:
        installed = Version(version(name))
    except PackageNotFoundError:
        assert name not in closure(), f"{name} is needed and not installed"
        return

    assert installed >= Version(least), f"{name} {installed} is older than {least}: {why}"


def test_mitmproxy_is_the_one_whose_inside_is_known() -> None:
    assert Version("12.2.3") <= Version(version("mitmproxy")) < Version("13")


def test_direct_dependencies_declare_safe_floors() -> None:
    """Who installs without constraints.txt gets safe versions too."""
    for line in requires("wattline") or ():
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if name in SAFE and requirement.marker is None:
            least = Version(SAFE[name][0])
            floors = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
            assert floors, line
            assert max(floors) >= least, line


def test_every_needed_package_is_pinned_to_what_is_tested() -> None:
    pinned = pins()
    installed = {name: version(name) for name in closure()}

    assert {name: pinned.get(name) for name in installed} == installed


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_fit_together_on_each_python(python: str) -> None:
    """mitmproxy, for one, wants other versions on 3.12. What is pinned differently there can't be looked into."""
    pinned, here = pins(python), pins()
    for name in closure():
        if pinned[name] != here[name]:
            continue
        for line in requires(name) or ():
            wanted = Requirement(line)
            env = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
            if wanted.marker is None or wanted.marker.evaluate(env):
                got = pinned[canonicalize_name(wanted.name)]
                assert wanted.specifier.contains(got, prereleases=True), (
                    f"{name}: {line}, not {got}"
                )


def test_constraints_name_no_place_to_get_packages_from() -> None:
    text = (ROOT / "constraints.txt").read_text()

    assert "://" not in text
    assert " @ " not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_no_dependency_runs_code_at_every_start_of_python() -> None:
    """A .pth file with an import line runs in each process: the way of the 2026 attack on a gateway."""
    for name in closure():
        for file in distribution(name).files or ():
            if file.suffix == ".pth":
                content = Path(str(file.locate())).read_text()
                assert "import" not in content, f"{name}: {file}"


def test_sqlite_knows_what_the_ledger_uses() -> None:
    assert sqlite3.sqlite_version_info >= (3, 37)
