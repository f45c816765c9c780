"""The lines of a `when`, compiled: each is asked with a call, the facts, and the two clocks' readings.

They are asked on every call, so each test is a few comparisons; only `why_not` makes text.
"""
