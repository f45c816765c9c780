"""Paths of questions about what earlier calls made, and paths that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.errors import ClientFault
from wattline.dialects.follow_up import is_id, kind_of, query_of
from wattline.dialects.table import find, normalise
from wattline.wire.call import Operation

ID = "video_68f1-a.b=C_"
LOOKUPS = [
    ("GET", f"/v1/videos/{ID}", "openai", f"/videos/{ID}"),
    ("DELETE", f"/v1/videos/{ID}", "openai", f"/videos/{ID}"),
    ("GET", f"/v1/videos/{ID}/content", "openai", f"/videos/{ID}/content"),
    ("GET", f"/v1/responses/{ID}", "openai", f"/responses/{ID}"),
    ("DELETE", f"/v1/responses/{ID}", "openai", f"/responses/{ID}"),
    ("POST", f"/v1/responses/{ID}/cancel", "openai", f"/responses/{ID}/cancel"),
    ("GET", f"/v1/responses/{ID}/input_items", "openai", f"/responses/{ID}/input_items"),
    ("GET", f"/v1/interactions/{ID}", "gemini", f"/interactions/{ID}"),
    ("GET", f"/v1beta/interactions/{ID}", "gemini", f"/interactions/{ID}"),
    ("GET", f"/v2/v1beta/interactions/{ID}", "gemini", f"/interactions/{ID}"),
    ("DELETE", f"/v2/interactions/{ID}", "gemini", f"/interactions/{ID}"),
    ("POST", f"/v1beta/interactions/{ID}/cancel", "gemini", f"/interactions/{ID}/cancel"),
]


@pytest.mark.parametrize(("method", "path", "dialect", "upstream"), LOOKUPS)
def test_routes_of_lookups(method: str, path: str, dialect: str, upstream: str) -> None:
    """B-026, B-033."""
    assert normalise(path) == path
    route = find(method, "localhost", path, forward=False)
    assert route is not None
    assert (route.operation, route.dialect, route.upstream_path) == (
        Operation.LOOKUP,
        dialect,
        upstream,
    )
    assert (route.subject, kind_of(route)) == (ID, upstream.split("/")[1])
    assert route.json
    for other in ("PUT", "PATCH", "HEAD", "OPTIONS", "get", "GET "):
        assert find(other, "localhost", path, forward=False) is None


@pytest.mark.parametrize(
    ("path", "operation", "json", "either"),
    [
        ("/v1/images/edits", Operation.IMAGES, False, True),
        ("/v1/images/variations", Operation.IMAGES, False, False),
        ("/v1/videos", Operation.VIDEOS, False, True),
        ("/v1/videos/generations", Operation.VIDEOS, True, False),
        ("/v1/interactions", Operation.INTERACTIONS, True, False),
        ("/v2/interactions", Operation.INTERACTIONS, True, False),
        ("/v1beta/interactions", Operation.INTERACTIONS, True, False),
    ],
)
def test_routes_that_make_it(path: str, operation: Operation, json: bool, either: bool) -> None:  # noqa: FBT001  (a table)
    """B-024, B-025, B-033."""
    route = find("POST", "localhost", path, forward=False)
    assert route is not None
    assert (route.operation, route.json, route.either) == (operation, json, either)
    for method in ("GET", "DELETE", "PUT"):
        assert find(method, "localhost", path, forward=False) is None


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        ("api.openai.com", f"/v1/videos/{ID}", True),
        ("api.openai.com", f"/v1/interactions/{ID}", False),
        ("api.openai.com", f"/videos/{ID}", False),
        ("api.x.ai", f"/v1/videos/{ID}", True),
        ("generativelanguage.googleapis.com", f"/v1beta/interactions/{ID}", True),
        ("generativelanguage.googleapis.com", f"/v1/videos/{ID}", False),
        ("api.anthropic.com", f"/v1/responses/{ID}", False),
        ("llm.example.org", f"/v1/responses/{ID}", True),
    ],
)
def test_they_are_where_the_calls_are_that_make_it(host: str, path: str, found: bool) -> None:  # noqa: FBT001  (a table)
    assert (find("GET", host, path, forward=True) is not None) is found


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/videos/{ID}/",
        f"/v1/videos/{ID}/contents",
        f"/v1/videos/{ID}/content/x",
        f"/v1/videos/{ID}/cancel",
        f"/v1/responses/{ID}/content",
        f"/v1/Videos/{ID}",
        f"/v1/video/{ID}",
        f"/v7/videos/{ID}",
        f"/x/v1/videos/{ID}",
        f"/videos/{ID}",
        "/v1/videos/generations",
        "/v1/videos/.x",
        "/v1/videos/-x",
        "/v1/videos/_x",
        "/v1/videos/a:b",
        "/v1/videos/a@b",
        "/v1/videos/a%20b",
        "/v1/videos/" + "a" * 257,
        "/v1/videos/v1/videos/a",
        "/v1/chat/completions/a",
    ],
)
def test_what_only_looks_like_one(path: str) -> None:
    for method in ("GET", "DELETE"):
        assert find(method, "localhost", path, forward=False) is None


def test_a_family_keeps_its_switch() -> None:
    route = find("GET", "localhost", f"/v4/responses/{ID}", forward=False)
    assert route is not None
    assert route.switch == "groq"


@given(st.text(max_size=20) | st.integers() | st.none() | st.lists(st.text()))
def test_an_id_is_one_plain_segment(value: object) -> None:
    if is_id(value):
        assert isinstance(value, str)
        assert normalise(f"/v1/videos/{value}") == f"/v1/videos/{value}"
        assert "/" not in value
        assert value.isascii()


@pytest.mark.parametrize(
    ("target", "query"),
    [
        ("/a", ""),
        ("/a?", ""),
        ("/a?x=1&include[]=a,b&y=%20z&after=m_1", "?x=1&include[]=a,b&y=%20z&after=m_1"),
        ("/a?key=sk-1", ""),
        ("/a?x=1&key=sk-1&&y=2", "?x=1&y=2"),
        ("/a?%6bey=sk-1&KEY=sk-2&+key=sk-3&key", ""),
        ("/a?%256bey=x", "?%256bey=x"),
    ],
)
def test_a_query_goes_on_without_a_key(target: str, query: str) -> None:
    assert query_of(target) == query


@pytest.mark.parametrize("query", ["a=<", "a b", "a=%", "a=%z1", "a=\u00e9", "a=?", "a" * 1025])
def test_a_query_that_could_be_read_in_two_ways_is_refused(query: str) -> None:
    with pytest.raises(ClientFault) as caught:
        query_of(f"/a?{query}")
    assert caught.value.code == "bad_query"
