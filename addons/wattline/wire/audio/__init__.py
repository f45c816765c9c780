"""How long a recording is, by its headers."""
