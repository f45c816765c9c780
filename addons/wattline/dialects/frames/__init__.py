"""Two protocols for chat over one WebSocket, as JSON messages; each message says by its `type` which."""
