"""What the demo provider keeps for later questions: videos that take a while, and responses.

Shapes: https://platform.openai.com/docs/api-reference/videos and …/responses. A video is queued, then in
progress, then done: each time that it is asked about, it is one step further.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wattline.demo.asked import Asked
from wattline.demo.check import Refused
from wattline.demo.reply import Reply
from wattline.demo.responses import responses
from wattline.demo.tokens import count

KEEP = 1000
"""Things kept; the oldest are forgotten."""
STEPS = (("queued", 0), ("in_progress", 50), ("completed", 100))
"""Status and progress of a video, the first time it is told, the second, and from then on."""
VIDEO = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\x08free" + b"\0\0\0\x08mdat"
"""An MP4 file with nothing in it (ISO/IEC 14496-12)."""
SECONDS, SIZE, MODEL = "4", "720x1280", "sora-2"
_VIDEO, _RESPONSE = "video_", "resp_"


@dataclass(slots=True)
class _Thing:
    asked: Asked
    told: int = 0
    cancelled: bool = False


class Kept:
    """By id, the latest `KEEP`."""

    def __init__(self) -> None:
        self._things: OrderedDict[str, _Thing] = OrderedDict()

    def video(self, asked: Asked) -> Reply:
        """`POST /v1/videos`: a job. Raises Refused."""
        prompt = asked.fields.text("prompt", required=True) or ""
        thing = self._keep(_VIDEO, asked)
        return Reply(_video(thing), prompt_tokens=count(prompt))

    def response(self, asked: Asked) -> Reply:
        """`POST /v1/responses`, kept unless `store` is false. Raises Refused."""
        reply = responses(asked)
        if asked.body.get("store") is not False:
            self._keep(_RESPONSE, asked)
        return reply

    def answer(self, method: str, path: str) -> Reply | None:
        """The answer to a question about a kept thing; None for a path of another kind. Raises Refused."""
        segments = path.strip("/").split("/")
        if len(segments) not in (3, 4) or segments[0] != "v1" or segments[1] not in _QUESTIONS:
            return None
        kind, id_, more = segments[1], segments[2], "/".join(segments[3:])
        answer = _QUESTIONS[kind].get((method, more))
        if answer is None:
            raise Refused(f"Invalid URL ({method} {path[:100]})", status=404)
        thing = self._things.get(id_)
        if thing is None or not id_.startswith(_PREFIXES[kind]):
            raise Refused(f"No {kind.removesuffix('s')} with this id is here.", status=404)
        if method == "DELETE":
            del self._things[id_]
        return answer(thing)

    def _keep(self, prefix: str, asked: Asked) -> _Thing:
        thing = self._things[asked.id(prefix)] = _Thing(asked)
        if len(self._things) > KEEP:
            self._things.popitem(last=False)
        return thing


def _video(thing: _Thing) -> dict[str, Any]:
    status, progress = STEPS[min(thing.told, len(STEPS) - 1)]
    thing.told += 1
    asked, done = thing.asked, status == "completed"
    wanted = {key: asked.body.get(key) for key in ("model", "seconds", "size")}
    return {
        "id": asked.id(_VIDEO),
        "object": "video",
        "created_at": asked.created,
        "completed_at": asked.created if done else None,
        "expires_at": None,
        "status": status,
        "progress": progress,
        "model": wanted["model"] or MODEL,
        "seconds": wanted["seconds"] or SECONDS,
        "size": wanted["size"] or SIZE,
        "error": None,
        "remixed_from_video_id": None,
    }


def _video_now(thing: _Thing) -> Reply:
    return Reply(_video(thing))


def _content(thing: _Thing) -> Reply:
    if thing.told < len(STEPS):
        raise Refused("Video is not ready yet, use GET /v1/videos/{video_id} to check its status.")
    return Reply(VIDEO, content_type="video/mp4")


def _video_gone(thing: _Thing) -> Reply:
    return Reply({"id": thing.asked.id(_VIDEO), "object": "video.deleted", "deleted": True})


def _response(thing: _Thing) -> Reply:
    asked = thing.asked
    body = responses(replace(asked, body={**asked.body, "stream": False})).body
    return Reply({**body, "status": "cancelled"} if thing.cancelled else body)


def _cancel(thing: _Thing) -> Reply:
    if thing.asked.body.get("background") is not True:
        raise Refused("Cannot cancel a synchronous response.")
    thing.cancelled = True
    return _response(thing)


def _response_gone(thing: _Thing) -> Reply:
    return Reply({"id": thing.asked.id(_RESPONSE), "object": "response", "deleted": True})


def _items(thing: _Thing) -> Reply:
    """One empty message for each item: nothing that was asked is said again."""
    asked = thing.asked
    given = asked.body.get("input")
    number = len(given) if isinstance(given, list) else 1
    items = [
        {
            "id": f"{asked.id('msg_')}{index:02d}",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_text", "text": ""}],
        }
        for index in range(number)
    ]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]}
    return Reply({"object": "list", "data": items, "has_more": False, **ends})


_QUESTIONS: Mapping[str, Mapping[tuple[str, str], Callable[[_Thing], Reply]]] = {
    "videos": {
        ("GET", ""): _video_now,
        ("GET", "content"): _content,
        ("DELETE", ""): _video_gone,
    },
    "responses": {
        ("GET", ""): _response,
        ("GET", "input_items"): _items,
        ("POST", "cancel"): _cancel,
        ("DELETE", ""): _response_gone,
    },
}
_PREFIXES = {"videos": _VIDEO, "responses": _RESPONSE}
