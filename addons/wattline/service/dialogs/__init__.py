"""Conversations that are kept for users, and completions in them."""
