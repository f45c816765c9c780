"""Floor 4: what happens to a call: exchange, attempts, settlement, reload, health."""
