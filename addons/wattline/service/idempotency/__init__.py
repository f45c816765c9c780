"""Requests that count once: the Idempotency-Key."""
