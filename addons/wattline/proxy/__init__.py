"""Floor 5: the face to clients, on mitmproxy. Only this package and app import mitmproxy."""
