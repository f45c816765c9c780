"""Pictures that a chat or responses request names by URL, and its bytes with the pictures in place of the
URLs; every other byte stays as the client sent it.

Places: `messages[i].content[j].image_url` (an object with `url`, or the URL itself) in chat;
`input[i].content[j].image_url` and `input[i].output[j].image_url` in the Responses API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wattline.base.errors import OurFault
from wattline.base.json_elements import elements
from wattline.dialects.splice import dumps, edit, parts
from wattline.wire.pictures import Fetched, ImageUrl, is_web_url

_TYPES = ("image_url", "input_image")

type Path = tuple[str | int, ...]
type _Tree = dict[str | int, Any]
"""Keys and indexes on the way to the new values, which are bytes."""


@dataclass(frozen=True, slots=True)
class Place(ImageUrl):
    """A URL and the way to it in the body."""

    path: Path


def find_image_urls(body: Mapping[str, Any]) -> tuple[Place, ...]:
    """The http and https URLs of a parsed body's pictures, in their order. Never raises: what is not
    as OpenAI defines it holds none.
    """
    return tuple(Place(url, _param(path), path) for path, url in _urls(body) if is_web_url(url))


def unreadable_image(body: Mapping[str, Any]) -> str | None:
    """The field of the first picture whose URL is neither on the web nor in the text itself (`data:`): a
    provider near us might read a file of its machine for it. None when there is none.
    """
    for path, url in _urls(body):
        if not is_web_url(url) and not url.startswith("data:"):
            return _param(path)
    return None


def _urls(body: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for top, inner in (("messages", ("content",)), ("input", ("content", "output"))):
        for index, item in _objects(body.get(top)):
            for key in inner:
                for at, part in _objects(item.get(key)):
                    if part.get("type") in _TYPES:
                        yield from _url((top, index, key, at, "image_url"), part.get("image_url"))


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def _url(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        path, value = (*path, "url"), value.get("url")
    if isinstance(value, str):
        yield path, value


def _param(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def inline_images(raw: bytes, places: tuple[Place, ...], images: Mapping[str, Fetched]) -> bytes:
    """The body's bytes with a `data:` URL at each place whose URL is a key of `images`. `places` are
    those that were found in this body. CPU-bound for large pictures: run it in a thread.

    Raises OurFault when they are not.
    """
    written = {url: dumps(image.data_url) for url, image in images.items()}
    tree: _Tree = {}
    for place in places:
        if place.url in written:
            _put(tree, place.path, written[place.url])
    return _edit(raw, tree) if tree else raw


def _put(tree: _Tree, path: Path, value: bytes) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
    tree[path[-1]] = value


def _edit(raw: bytes, new: _Tree | bytes) -> bytes:
    """Each container on the way is read once. The depth is that of the places."""
    if isinstance(new, bytes):
        return new
    if any(isinstance(step, int) for step in new):
        return _edit_array(raw, new)
    found = parts(raw)
    changes = {
        member.key: _edit(raw[member.start : member.end], new[member.key])
        for member in found
        if member.key in new
    }
    if len(changes) != len(new):
        raise _moved()
    return edit(raw, changes, found)


def _edit_array(raw: bytes, new: _Tree) -> bytes:
    found = elements(raw)
    if found is None or any(not isinstance(step, int) or step >= len(found) for step in new):
        raise _moved()
    out: list[bytes] = []
    position = 0
    for index, (start, end) in enumerate(found):
        if index in new:
            out += raw[position:start], _edit(raw[start:end], new[index])
            position = end
    out.append(raw[position:])
    return b"".join(out)


def _moved() -> OurFault:
    return OurFault("A picture's place in a body that had been read could not be found again.")
