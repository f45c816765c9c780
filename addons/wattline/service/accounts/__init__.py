"""Users, keys, roles and who calls."""
