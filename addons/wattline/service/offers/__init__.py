"""Provider keys that are offered from outside: taken in, kept apart, decided about (B-207)."""
