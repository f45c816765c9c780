"""Floor 3: how bytes get to a provider: the shared pool, origins, credentials, timeouts."""
