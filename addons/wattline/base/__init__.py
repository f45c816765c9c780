"""Floor 0: knows nothing of wattline's business. Faults, clocks, ids, strict JSON, settings."""
