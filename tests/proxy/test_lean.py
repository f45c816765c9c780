"""mitmproxy's addons are imported one by one, in a process of their own each."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_nobody_uses_is_not_imported() -> None:
    code = "import wattline.app.sidecar, sys; print(sorted({'flask', 'ldap3', 'jinja2'} & set(sys.modules)))"
    assert run(code) == "[]"


def test_the_whole_package_is_there_for_who_asks() -> None:
    code = (
        "import wattline.app.sidecar; from mitmproxy import addons; "
        "print(len(addons.default_addons()) > 20, addons.core.Core.__name__)"
    )
    assert run(code) == "True Core"


def test_what_it_has_not_is_an_error_as_ever() -> None:
    code = "import wattline.app.sidecar, mitmproxy.addons as a\ntry:\n    a.nothing\nexcept AttributeError: print('no')"
    assert run(code) == "no"


@pytest.mark.parametrize("first", ["mitmproxy.addons", "mitmproxy.tools.dump"])
def test_inside_mitmproxy_it_does_nothing(first: str) -> None:
    code = f"import {first}, mitmproxy.addons as a; before = a; import wattline.app.sidecar; print(before is a, type(a).__name__)"
    assert run(code) == "True module"
