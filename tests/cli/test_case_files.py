from __future__ import annotations

import pytest

from wattline.cli.case_files import read_file
from wattline.cli.failure import Failure


def test_bad_yaml_is_told_with_its_place(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("cases:\n  - {name: a, b: [1, 2\n")
    with pytest.raises(Failure) as raised:
        read_file(path)
    assert str(raised.value).startswith(f"{path}:3:1: ")
    assert "unicode string" not in str(raised.value)
