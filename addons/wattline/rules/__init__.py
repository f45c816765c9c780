"""Floor 2: the shape, loading and compiled form of rules.yaml."""
