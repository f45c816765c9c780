"""Pages of operators, and of a key about itself."""
