"""Floor 5: the face to clients, on mitmproxy. Only this package and app import mitmproxy."""

from wattline.proxy.lean import leave_out_unused_addons

leave_out_unused_addons()
