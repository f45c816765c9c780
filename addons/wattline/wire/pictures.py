"""Pictures that a prompt names by URL, and the prompt with their bytes in place of the URLs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from wattline.wire.parts import File, Image, Part, Text, ToolResult
from wattline.wire.prompt import Message, Prompt

WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture's bytes, and the media type that they are."""

    media_type: str
    data: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """The bytes in base64's standard alphabet."""
        return base64.b64encode(self.data).decode("ascii")

    @property
    def data_url(self) -> str:
        """`data:image/png;base64,…` (RFC 2397)."""
        return f"data:{self.media_type};base64,{self.base64}"


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """A URL and the field in which the client gave it (`messages[0].content[1].image_url.url`)."""

    url: str = field(repr=False)
    param: str


def is_web_url(value: object) -> bool:
    """Whether a value is a text that starts as an http or https URL does."""
    return isinstance(value, str) and value[:8].lower().startswith(WEB)


def image_urls(prompt: Prompt) -> tuple[ImageUrl, ...]:
    """The http and https URLs of a prompt's pictures, those in tool results too, in their order."""
    return tuple(
        ImageUrl(image.url, f"messages[{index}]")
        for index, message in enumerate(prompt.messages)
        for image in _images(message.parts)
        if image.url is not None and is_web_url(image.url)
    )


def fields_of(body: object, urls: Iterable[str]) -> dict[str, str]:
    """The first field of a parsed body whose text is exactly one of these URLs, by URL; none for a URL that
    it does not have (`contents[0].parts[1].fileData.fileUri`).
    """
    wanted, found = frozenset(urls), dict[str, str]()
    left: list[tuple[str, object]] = [("", body)]
    while left and len(found) < len(wanted):
        at, value = left.pop()
        if isinstance(value, str):
            if value in wanted:
                found.setdefault(value, at)
        elif isinstance(value, dict):
            left += [(f"{at}.{key}", inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            left += [(f"{at}[{index}]", value[index]) for index in reversed(range(len(value)))]
    return {url: at.removeprefix(".") for url, at in found.items()}


def _images(parts: tuple[Part, ...]) -> Iterator[Image]:
    for part in parts:
        if isinstance(part, Image):
            yield part
        elif isinstance(part, ToolResult):
            yield from (inner for inner in part.parts if isinstance(inner, Image))


def with_images(prompt: Prompt, images: Mapping[str, Fetched]) -> Prompt:
    """The prompt with `data` in place of each URL that is a key of `images`."""
    if not images:
        return prompt
    messages = tuple(_message(message, images) for message in prompt.messages)
    return replace(prompt, messages=messages)


def _message(message: Message, images: Mapping[str, Fetched]) -> Message:
    if not any(image.url in images for image in _images(message.parts)):
        return message
    return replace(message, parts=tuple(_part(part, images) for part in message.parts))


def _part(part: Part, images: Mapping[str, Fetched]) -> Part:
    if isinstance(part, Image):
        return _image(part, images)
    if isinstance(part, ToolResult):
        inner: tuple[Text | Image | File, ...] = tuple(
            _image(part, images) if isinstance(part, Image) else part for part in part.parts
        )
        return replace(part, parts=inner)
    return part


def _image(image: Image, images: Mapping[str, Fetched]) -> Image:
    found = images.get(image.url) if image.url is not None else None
    if found is None:
        return image
    return replace(image, media_type=found.media_type, data=found.base64, url=None)
