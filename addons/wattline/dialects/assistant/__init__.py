"""The dialect of the assistant's gateway."""
