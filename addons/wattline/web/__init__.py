"""The sidecar's own pages: one FastAPI app on a loopback port that only the sidecar itself can use."""
