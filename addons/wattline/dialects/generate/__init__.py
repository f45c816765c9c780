"""The bridges that answer `POST /api/generate` for other programs, such as command-line agents."""
