"""Chat over a WebSocket: `/ws`."""
