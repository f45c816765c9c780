"""Ollama's dialect: chat, generate, embed, and the pages that its clients ask for."""
