"""Which models there are: what rules.yaml says, joined with what providers report, and prices."""
