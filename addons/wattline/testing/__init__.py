"""Floor 6: what tests of the whole sidecar need inside its process. Off in any other use."""
