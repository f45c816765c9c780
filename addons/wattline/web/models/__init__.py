"""Pages about models, one module for each API's shape."""
