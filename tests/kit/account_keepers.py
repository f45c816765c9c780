"""Providers in which each key is an account of its own: what was made with one can't be found with another."""

from __future__ import annotations

import json

from aiohttp import web

USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
GOOGLES = {"total_input_tokens": 3, "total_output_tokens": 2, "total_tokens": 5}
STEPS = [{"type": "model_output", "content": [{"type": "text", "text": "hello"}]}]
OUTPUT = [
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hello", "annotations": []}],
    }
]


LETTERS = {letter: f"sk-secret-key-{letter}-0123456789" for letter in "ABCD"}
"""Keys by the variable that rules.yaml takes each from."""


def letter_of(key: str) -> str:
    """The variable of a key; `?` for one that is none of them."""
    return next((letter for letter, secret in LETTERS.items() if secret == key), "?")


class AccountKeeper:
    """OpenAI's responses at `/v1`, Google's interactions at `/v1beta`."""

    def __init__(self) -> None:
        self.url = ""
        self.kept: dict[tuple[str, str], dict[str, object]] = {}
        """By key and id."""
        self.refusing: dict[str, int] = {}
        """Statuses by key; a key that is not here is good."""
        self.seen: list[tuple[str, str, str]] = []
        """Method, last part of the path, and key of each request."""
        self.raw: list[str] = []
        """All that came, as text."""

    @property
    def used(self) -> str:
        """The letters of the keys that came, in order."""
        return "".join(letter_of(key) for _, _, key in self.seen)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.text()
        self.raw.append(f"{request.path_qs}\n{dict(request.headers)}\n{body}")
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = key or request.headers.get("x-goog-api-key", "")
        name = request.path.rsplit("/", 1)[-1]
        self.seen.append((request.method, name, key))
        if (status := self.refusing.get(key)) is not None:
            headers = {"retry-after": "7"} if status == 429 else None
            return _error(status, f"refused: {key}", headers)
        if name == "models":
            return web.json_response({"data": [{"id": "listed"}]})
        if request.method == "POST":
            return web.json_response(
                self._made(key, json.loads(body), google="v1beta" in request.path)
            )
        found = self.kept.get((key, name))
        if found is None:
            return _error(404, f"nothing is called {name}")
        if request.method == "DELETE":
            del self.kept[key, name]
            return web.json_response({"id": name, "object": "response", "deleted": True})
        return web.json_response(found)

    def _made(self, key: str, body: dict[str, object], *, google: bool) -> dict[str, object]:
        earlier = body.get("previous_response_id")
        if earlier is not None and (key, earlier) not in self.kept:
            return {
                "error": {
                    "message": f"nothing is called {earlier}",
                    "type": "invalid_request_error",
                }
            }
        name = f"made_{len(self.kept)}"
        made: dict[str, object] = {"id": name, "model": body["model"], "status": "completed"}
        if google:
            made |= {"object": "interaction", "steps": STEPS, "usage": GOOGLES}
        else:
            made |= {"object": "response", "created_at": 1, "output": OUTPUT, "usage": USAGE}
        self.kept[key, name] = made
        return made


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    error = {"message": text, "type": "t", "code": "c"}
    return web.json_response({"error": error}, status=status, headers=headers)
