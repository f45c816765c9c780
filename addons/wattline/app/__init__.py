"""Floor 6: the only place where things are put together, settings to stores to services to faces."""
