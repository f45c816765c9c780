"""A fake of a generate bridge (C-063)."""

from __future__ import annotations

from typing import Any

from kit.providers.base import FakeProvider
from kit.providers.meaning import Meaning, need, of, only, within
from kit.providers.saying import Saying

_ROLES = ("user", "assistant", "system", "developer", "tool")


class FakeGenerate(FakeProvider):
    """/api/generate; it never streams."""

    name = "generate"
    auth = "authorization"

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:  # noqa: ARG002  (every dialect's)
        need(path == "/api/generate", f"404 {path}")
        only(body, "body", ("system", "temperature", "max_tokens"), ("model", "prompt"))
        meaning = Meaning(body["model"], stream=False, system=of(body, "system", str, "body") or "")
        for line in body["prompt"].split("\n\n"):
            role, colon, text = line.partition(": ")
            if colon and role in _ROLES:
                meaning.turns.append((role, [("text", text)]))
            else:  # a text with blank lines of its own
                need(meaning.turns, f"prompt {line[:40]!r}")
                role, [(_, before)] = meaning.turns.pop()
                meaning.turns.append((role, [("text", f"{before}\n\n{line}")]))
        meaning.temperature = within(body, "temperature", 0, 2, "body")
        meaning.max_tokens = within(body, "max_tokens", 1, 1 << 20, "body")
        return meaning

    def whole(self, saying: Saying) -> Any:
        text = saying.refusal if saying.refusal is not None else "".join(saying.texts)
        body: dict[str, Any] = {"content": text, "model": saying.model}
        body["stop_reason"] = "max_tokens" if saying.why == "length" else "end_turn"
        if saying.usage:
            body["usage"] = {
                "prompt_tokens": saying.prompt,
                "completion_tokens": saying.completion,
                "total_tokens": saying.prompt + saying.completion,
            }
        return body

    def error(self, status: int, message: str) -> Any:  # noqa: ARG002  (every dialect's)
        return {"error": message}
