"""Floor 1: sans-io wire formats and the neutral types that every dialect shares."""
