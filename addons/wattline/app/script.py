"""The sidecar as a script of plain mitmproxy's."""

from __future__ import annotations

import os
from pathlib import Path

from wattline.app.sidecar import Sidecar
from wattline.base.settings import read_settings
from wattline.proxy.script import ScriptDoor


def sidecar_addons() -> list[ScriptDoor]:
    """For `mitmdump -s addons/sidecar.py`: settings from the environment and the working folder."""
    settings = read_settings(os.environ, cwd=Path.cwd())
    sidecar = Sidecar(settings)
    return [ScriptDoor(sidecar.attach, sidecar.stop)]
