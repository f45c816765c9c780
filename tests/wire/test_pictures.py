"""B-170 where a prompt is translated: its pictures' URLs become bytes."""

from __future__ import annotations

from wattline.wire.parts import File, Image, Text, ToolResult
from wattline.wire.pictures import (
    Fetched,
    ImageUrl,
    fields_of,
    image_urls,
    is_web_url,
    with_images,
)
from wattline.wire.prompt import Message, Prompt, Role

URL = "https://h.test/a"
OTHER = "HTTPS://h.test/b"
GIF = Fetched("image/gif", b"GIF89a")

PROMPT = Prompt(
    (
        Message(Role.USER, (Text(URL), Image(url=URL, detail="low"), File(url=URL))),
        Message(Role.USER, (Image(url="gs://bucket/x"), Image(data="AA=="), Image(id="file-1"))),
        Message(Role.TOOL, (ToolResult("c", (Text("t"), Image(url=OTHER, cache={"a": 1}))),)),
    ),
    stream=True,
)


def test_urls_are_those_of_pictures_only() -> None:
    assert image_urls(PROMPT) == (ImageUrl(URL, "messages[0]"), ImageUrl(OTHER, "messages[2]"))


def test_bytes_take_the_place_of_urls_and_all_else_stays() -> None:
    after = with_images(PROMPT, {URL: GIF, OTHER: GIF})
    assert after.messages[0].parts == (
        Text(URL),
        Image("image/gif", data="R0lGODlh", detail="low"),
        File(url=URL),
    )
    assert after.messages[1] is PROMPT.messages[1]
    assert after.messages[2].parts == (
        ToolResult("c", (Text("t"), Image("image/gif", data="R0lGODlh", cache={"a": 1}))),
    )
    assert after.stream
    assert image_urls(after) == ()


def test_without_pictures_the_prompt_is_the_same() -> None:
    assert with_images(PROMPT, {}) is PROMPT
    assert with_images(PROMPT, {"https://else.test/": GIF}) == PROMPT


def test_data_url() -> None:
    assert GIF.data_url == "data:image/gif;base64,R0lGODlh"
    assert "GIF89a" not in repr(GIF)


def test_web_urls() -> None:
    assert is_web_url("hTTp://x")
    for value in (
        None,
        3,
        "",
        "http:/x",
        "data:image/png;base64,http://",
        " http://x",
        b"http://x",
    ):
        assert not is_web_url(value)


def test_fields_are_named_as_the_client_wrote_them() -> None:
    body = {
        "n": 3,
        "contents": [{"parts": [{"text": f"see {URL}"}, {"fileData": {"fileUri": OTHER}}]}],
        "messages": [[], {"content": [None, {"image_url": URL}]}, {"again": URL}],
    }
    assert fields_of(body, [URL, OTHER, "https://else.test/"]) == {
        OTHER: "contents[0].parts[1].fileData.fileUri",
        URL: "messages[1].content[1].image_url",
    }
    assert fields_of(body, []) == {}
    assert fields_of(URL, [URL]) == {URL: ""}


def test_deep_body_has_its_fields_found() -> None:
    """No recursion: the depth is the client's."""
    body: object = URL
    for _ in range(5000):
        body = [body]
    assert fields_of(body, [URL]) == {URL: "[0]" * 5000}
