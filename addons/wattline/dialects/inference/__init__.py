"""The dialect of an inference service: OpenAI's chat under paths and errors of its own."""
