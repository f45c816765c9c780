"""The sections of rules.yaml as they are written."""
