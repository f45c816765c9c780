"""Floor 2: sans-io translation between a provider's wire format and the neutral types."""
