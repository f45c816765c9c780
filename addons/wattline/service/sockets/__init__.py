"""WebSockets whose messages are calls."""
