"""The door for plain mitmproxy: `mitmdump -s addons/sidecar.py`, or mitmweb for its view of flows."""

from __future__ import annotations

from wattline.app.script import sidecar_addons

addons = sidecar_addons()
