"""A fake of Ollama's chat."""

from __future__ import annotations

import base64
import json
from typing import Any

from kit.providers.base import FakeProvider
from kit.providers.meaning import Meaning, need, of, only, within
from kit.providers.saying import Saying, halves

_FIELDS = ("tools", "format", "options", "keep_alive", "think", "truncate", "shift")
_OPTIONS = ("num_predict", "temperature", "top_p", "top_k", "stop", "seed", "presence_penalty")
_MESSAGE = ("images", "tool_calls", "tool_name", "tool_call_id", "thinking")
_STOPS = {"end": "stop", "length": "length", "tool": "stop", "filter": "stop", "sequence": "stop"}


class FakeOllama(FakeProvider):
    """/api/chat."""

    name = "ollama"
    auth = "authorization"
    stream_type = "application/x-ndjson"
    legacy = False
    """The last request was for generate."""

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:  # noqa: ARG002  (every dialect's)
        self.legacy = path == "/api/generate"
        need(self.legacy or path == "/api/chat", f"404 {path}")
        if self.legacy:
            only(body, "body", (*_FIELDS, "stream", "system", "images"), ("model", "prompt"))
        else:
            only(body, "body", (*_FIELDS, "stream"), ("model", "messages"))
        meaning = Meaning(body["model"], of(body, "stream", bool, "body") is not False)
        system = [body["system"]] if "system" in body else []
        if self.legacy:
            message = {"role": "user", "content": body["prompt"], "images": body.get("images", [])}
            _turn(message, meaning, "prompt")
        for index, message in enumerate(body.get("messages", ())):
            at = f"messages[{index}]"
            only(message, at, _MESSAGE, ("role", "content"))
            need(isinstance(message["content"], str), f"{at}.content")
            if message["role"] == "system":
                system.append(message["content"])
            else:
                _turn(message, meaning, at)
        meaning.system = "\n\n".join(system)
        for tool in body.get("tools", []):
            only(tool, "tool", (), ("type", "function"))
            function = only(tool["function"], "function", ("description",), ("name", "parameters"))
            meaning.tools[function["name"]] = function["parameters"]
        options = only(body.get("options", {}), "options", (*_OPTIONS, "frequency_penalty"))
        meaning.temperature = within(options, "temperature", 0, 2, "options")
        meaning.top_p = within(options, "top_p", 0, 1, "options")
        meaning.max_tokens = within(options, "num_predict", 1, 1 << 20, "options")
        meaning.stop = tuple(of(options, "stop", list, "options") or ())
        wanted = of(body, "format", (str, dict), "body")
        need(not isinstance(wanted, str) or wanted == "json", "format")
        meaning.schema = wanted
        think = of(body, "think", (bool, str), "body")
        need(not isinstance(think, str) or think in ("low", "medium", "high", "max"), "think")
        meaning.thinks = bool(think)
        return meaning

    def _line(self, saying: Saying, *, done: bool, **message: Any) -> dict:
        line = {"model": saying.model, "created_at": "2026-01-02T03:04:05.678901234Z", "done": done}
        if self.legacy:
            thought = {"thinking": message["thinking"]} if "thinking" in message else {}
            return line | {"response": message.get("content", "")} | thought
        return line | {"message": {"role": "assistant", "content": "", **message}}

    def _last(self, saying: Saying) -> dict:
        found = {"done_reason": _STOPS[saying.why], "total_duration": 123_456_789}
        if saying.usage:
            found |= {"prompt_eval_count": saying.prompt, "eval_count": saying.completion}
        return found

    def whole(self, saying: Saying) -> Any:
        message: dict = {"content": "".join(_texts(saying))}
        if saying.thought is not None:
            message["thinking"] = saying.thought
        if saying.calls:
            message["tool_calls"] = _calls(saying)
        return self._line(saying, done=True, **message) | self._last(saying)

    def frames(self, saying: Saying) -> tuple[list[bytes], int]:
        lines = [self._line(saying, done=False, thinking=c) for c in halves(saying.thought or "")]
        for text in _texts(saying):
            lines += [self._line(saying, done=False, content=cut) for cut in halves(text)]
        lines += [self._line(saying, done=False, tool_calls=[call]) for call in _calls(saying)]
        lines.append(self._line(saying, done=True) | self._last(saying))
        return [_go(line) + b"\n" for line in lines], 1

    def error(self, status: int, message: str) -> Any:  # noqa: ARG002  (every dialect's)
        return {"error": message}

    def error_frame(self, saying: Saying) -> bytes:
        return json.dumps(self.error(saying.status, saying.message)).encode() + b"\n"


def _go(line: dict) -> bytes:
    """As Go writes JSON."""
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    for char in "\u2028\u2029<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def _texts(saying: Saying) -> tuple[str, ...]:
    return (saying.refusal,) if saying.refusal is not None else saying.texts


def _calls(saying: Saying) -> list[dict]:
    return [
        {
            "id": call.id,
            "function": {"index": index, "name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(saying.calls)
    ]


def _turn(message: dict, meaning: Meaning, at: str) -> None:
    role = message["role"]
    need(role in ("user", "assistant", "tool"), f"{at}.role {role}")
    if role == "tool":
        need("tool_calls" not in message, at)
        item = ("result", message.get("tool_name"), message["content"])
        meaning.turns.append(("user", [item]))
        return
    items: list[tuple] = []
    if message.get("thinking"):
        items.append(("thought", message["thinking"], None))
    if message["content"]:
        items.append(("text", message["content"]))
    for image in message.get("images", []):
        base64.b64decode(image, validate=True)
        items.append(("image", image))
    for call in message.get("tool_calls", []):
        need(role == "assistant", f"{at}.tool_calls")
        only(call, at, ("id",), ("function",))
        function = only(call["function"], at, ("index",), ("name", "arguments"))
        need(isinstance(function["arguments"], dict), f"{at}.arguments")
        items.append(("call", function["name"], function["arguments"]))
    meaning.turns.append((role, items))
