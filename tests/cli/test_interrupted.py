"""Ctrl-C before a command has begun."""

from __future__ import annotations

import builtins

import pytest

from wattline.__main__ import main


def test_ctrl_c_during_the_imports_is_no_traceback(monkeypatch):
    imported = builtins.__import__

    def interrupted(name, *rest, **more):
        if name == "wattline.cli.main":
            raise KeyboardInterrupt
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
