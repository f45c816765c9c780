"""Floor 3: the ledger's verbs, and the stores that keep it."""
