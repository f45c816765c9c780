"""Counting, pricing and settling what was used."""
