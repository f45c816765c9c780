"""Floor 4: the built-in demo provider, also the fault-shaped upstream of the tests."""
