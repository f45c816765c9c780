"""What the ledger knows of past calls, for explaining, replaying and testing rules."""
