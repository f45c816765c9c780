"""Floor 3: pure decisions. No I/O, and the clock is an argument."""
