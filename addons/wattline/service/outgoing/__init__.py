"""A call on its way to one target."""
