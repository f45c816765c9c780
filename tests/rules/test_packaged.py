"""Which rules.yaml is used where none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattline.rules import packaged


def test_a_checkout_without_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a file of the wheel that nobody can restore."""
    monkeypatch.setattr(
        packaged, "__file__", str(tmp_path / "addons" / "wattline" / "rules" / "packaged.py")
    )
    monkeypatch.setattr(packaged.importlib.resources, "files", lambda _: tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        packaged.packaged_rules()
    assert caught.value.strerror == (
        f"there is no rules.yaml in {tmp_path}: restore it, or name another with --rules FILE"
    )
    (tmp_path / "rules.yaml").write_text("")
    assert packaged.packaged_rules() == tmp_path / "rules.yaml"
