"""Google's Gemini API (generativelanguage.googleapis.com)."""
