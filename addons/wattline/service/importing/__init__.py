"""Users, keys and what belongs to them, taken over from other gateways."""
