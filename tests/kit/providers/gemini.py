"""A fake of Gemini's generateContent."""

from __future__ import annotations

import re
from typing import Any

from kit.providers.base import FakeProvider, sse
from kit.providers.meaning import Meaning, Wrong, need, of, only, within
from kit.providers.saying import Saying, halves

_PATH = re.compile(r"/v1beta/models/([^/:]+):(generateContent|streamGenerateContent)")
_FIELDS = ("systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings")
_CONFIG = (
    *("temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", "presencePenalty"),
    *("frequencyPenalty", "candidateCount", "responseMimeType", "responseSchema"),
    *("responseJsonSchema", "thinkingConfig", "responseLogprobs", "logprobs", "mediaResolution"),
)
_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_STOPS = {"end": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "filter": "SAFETY"}
_STOPS |= {"sequence": "STOP"}
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}
_STATUS |= {404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


class FakeGemini(FakeProvider):
    """generateContent and streamGenerateContent."""

    name = "gemini"
    auth = "x-goog-api-key"
    prefix = "/v1beta"

    def understand(self, path: str, query: str, body: Any, headers: dict[str, str]) -> Meaning:  # noqa: ARG002  (every dialect's)
        found = _PATH.fullmatch(path)
        need(found, f"404 {path}")
        stream = found[2] == "streamGenerateContent"
        need(query == ("alt=sse" if stream else ""), f"query {query}")
        body = _camel(body)  # the real one takes both spellings, and its SDK sends both
        only(body, "body", _FIELDS, ("contents",))
        meaning = Meaning(found[1], stream)
        if "systemInstruction" in body:
            system = only(body["systemInstruction"], "systemInstruction", ("role",), ("parts",))
            meaning.system = "\n\n".join(part["text"] for part in system["parts"])
        meaning.turns = _turns(body["contents"], found[1])
        for tool in body.get("tools", []):
            only(tool, "tools", (), ("functionDeclarations",))
            for item in tool["functionDeclarations"]:
                known = ("description", "parameters", "parametersJsonSchema", "responseJsonSchema")
                only(item, "functionDeclaration", known, ("name",))
                schema = item.get("parametersJsonSchema", item.get("parameters"))
                meaning.tools[item["name"]] = schema
        self._choice(body, meaning)
        self._config(body.get("generationConfig", {}), meaning)
        return meaning

    def _choice(self, body: dict, meaning: Meaning) -> None:
        config = only(body.get("toolConfig", {}), "toolConfig", ("functionCallingConfig",))
        calling = config.get("functionCallingConfig")
        if calling is not None:
            only(calling, "functionCallingConfig", ("mode", "allowedFunctionNames"))
            names = calling.get("allowedFunctionNames")
            need(names is None or calling["mode"] == "ANY", "allowedFunctionNames needs ANY")
            modes = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
            meaning.choice = names[0] if names else modes[calling["mode"]]

    def _config(self, config: dict, meaning: Meaning) -> None:
        at = "generationConfig"
        only(config, at, _CONFIG)
        meaning.temperature = within(config, "temperature", 0, 2, at)
        meaning.top_p = within(config, "topP", 0, 1, at)
        meaning.max_tokens = within(config, "maxOutputTokens", 1, 1 << 20, at)
        meaning.n = within(config, "candidateCount", 1, 8, at) or 1
        stops = of(config, "stopSequences", list, at) or []
        need(len(stops) <= 5, "stopSequences")
        meaning.stop = tuple(stops)
        meaning.schema = config.get("responseJsonSchema", config.get("responseSchema"))
        mime = config.get("responseMimeType")
        need(meaning.schema is None or mime == "application/json", "responseMimeType")
        thinking = config.get("thinkingConfig")
        if thinking is not None:
            known = ("thinkingBudget", "thinkingLevel", "includeThoughts")
            only(thinking, "thinkingConfig", known)
            need(not {"thinkingBudget", "thinkingLevel"} <= set(thinking), "budget and level")
            meaning.thinks = bool(thinking) and thinking.get("thinkingBudget") != 0

    def _response(self, saying: Saying, parts: list[dict], **more: Any) -> dict:
        candidates = [
            {"content": {"role": "model", "parts": parts}, "index": index, **more}
            for index in range(saying.n)
        ]
        if saying.refusal is not None and not parts:
            candidates[0].pop("content")
        return {"candidates": candidates, "modelVersion": saying.model, "responseId": "rAbC-1"}

    def whole(self, saying: Saying) -> Any:
        parts = _parts(saying)
        body = self._response(saying, parts, finishReason=_STOPS[saying.why])
        return body | ({"usageMetadata": _usage(saying)} if saying.usage else {})

    def frames(self, saying: Saying) -> tuple[list[bytes], int]:
        pieces: list[dict] = []
        for part in _parts(saying):
            if "text" in part:
                cuts = halves(part["text"])
                pieces += [{**part, "text": cut} for cut in cuts[:-1]]
                for piece in pieces:
                    piece.pop("thoughtSignature", None)
                pieces.append({**part, "text": cuts[-1]})
            else:
                pieces.append(part)
        frames = []
        for piece in pieces:
            body = self._response(saying, [piece])
            if saying.usage:
                early = {"promptTokenCount": saying.prompt, "totalTokenCount": saying.prompt}
                body["usageMetadata"] = early
            frames.append(sse(body, end="\r\n"))
        last = self._response(saying, [{"text": ""}], finishReason=_STOPS[saying.why])
        if saying.usage:
            last["usageMetadata"] = _usage(saying)
        frames.append(sse(last, end="\r\n"))
        return frames, 1

    def error(self, status: int, message: str) -> Any:
        word = _STATUS.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message, "status": word}}

    def error_frame(self, saying: Saying) -> bytes:
        return sse(self.error(saying.status, saying.message), end="\r\n")


_FREE = ("args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema")


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    names = {key: re.sub(r"_([a-z])", lambda found: found[1].upper(), key) for key in value}
    return {
        names[key]: inner if names[key] in _FREE else _camel(inner) for key, inner in value.items()
    }


def _usage(saying: Saying) -> dict:
    found = {
        "promptTokenCount": saying.prompt,
        "candidatesTokenCount": saying.completion - saying.reasoning,
        "totalTokenCount": saying.prompt + saying.completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": saying.prompt}],
    }
    if saying.cached:
        found["cachedContentTokenCount"] = saying.cached
    if saying.reasoning:
        found["thoughtsTokenCount"] = saying.reasoning
    return found


def _parts(saying: Saying) -> list[dict]:
    parts: list[dict] = []
    if saying.thought is not None:
        parts.append({"text": saying.thought, "thought": True})
    if saying.refusal is None:
        parts += [{"text": text} for text in saying.texts if text]
    for call in saying.calls:
        found: dict = {"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}}
        if call.signature is not None:
            found["thoughtSignature"] = call.signature
        parts.append(found)
    return parts


def _turns(contents: list, model: str) -> list[tuple[str, list[tuple]]]:
    need(isinstance(contents, list) and contents, "no contents")
    turns: list[tuple[str, list[tuple]]] = []
    calls: list[str] = []
    for index, content in enumerate(_merged(contents)):
        at = f"contents[{index}]"
        only(content, at, (), ("role", "parts"))
        role = {"user": "user", "model": "assistant"}.get(content["role"])
        need(role, f"{at}.role {content['role']}")
        parts = content["parts"]
        need(isinstance(parts, list) and parts, f"{at}.parts is empty")
        answers = [p["functionResponse"]["name"] for p in parts if "functionResponse" in p]
        need(answers == calls, f"{at}: calls {calls}, responses {answers}")
        calls = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        if calls:
            need(index and turns[-1][0] == "user", f"{at}: a call must follow a user's turn")
            signed = next(p for p in parts if "functionCall" in p).get("thoughtSignature")
            need(signed or "gemini-3" not in model, f"{at}: thought_signature is missing")
        turns.append((role, [_item(part, f"{at}.{n}") for n, part in enumerate(parts)]))
    need(not calls, "the last functionCall has no functionResponse")
    return turns


def _merged(contents: list) -> list[dict]:
    """Neighbours of one role are one turn, as the SDK keeps the events of a stream."""
    found: list[dict] = []
    for content in contents:
        if found and found[-1]["role"] == content["role"]:
            found[-1]["parts"] = found[-1]["parts"] + content["parts"]
        else:
            found.append(dict(content))
    return found


def _item(part: dict, at: str) -> tuple:
    only(part, at, (*_DATA, "thought", "thoughtSignature"))
    data = [key for key in _DATA if key in part]
    need(len(data) == 1, f"{at} has {data}")
    value = part[data[0]]
    match data[0]:
        case "text":
            need(isinstance(value, str), f"{at}.text")
            if part.get("thought"):
                return "thought", value, part.get("thoughtSignature")
            return "text", value
        case "inlineData":
            only(value, at, (), ("mimeType", "data"))
            return "image", value["data"].replace("-", "+").replace("_", "/")
        case "functionCall":
            only(value, at, ("id", "args"), ("name",))
            need(isinstance(value.get("args", {}), dict), f"{at}.args")
            return "call", value["name"], value.get("args", {})
        case "functionResponse":
            only(value, at, ("id", "parts"), ("name", "response"))
            need(isinstance(value["response"], dict), f"{at}.response")
            said = value["response"]
            return "result", value["name"], said.get("output", said.get("result", said))
    raise Wrong(at)
