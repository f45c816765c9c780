"""Answers given again."""
