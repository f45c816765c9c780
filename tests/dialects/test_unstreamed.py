from __future__ import annotations

import pytest

from wattline.base.errors import OurFault
from wattline.dialects.unstreamed import unstreamed


@pytest.mark.parametrize(
    ("dialect", "body", "wanted"),
    [
        (
            "openai",
            b'{"model":"m", "stream" : true,"x":1.0e0,"stream_options":{"include_usage":true} }',
            b'{"model":"m", "stream" : false,"x":1.0e0 }',
        ),
        ("openai", b'{"stream_options":null,"stream":true}', b'{"stream":false}'),
        ("anthropic", b'{"stream":true,"model":"m"}', b'{"stream":false,"model":"m"}'),
        ("gemini", b'{ "contents":[] }', b'{ "contents":[] }'),
        ("ollama", b'{"model":"m"}', b'{"model":"m","stream":false}'),
        ("ollama", b'{"model":"m","stream":true}', b'{"model":"m","stream":false}'),
        ("ollama", b"{}", b'{"stream":false}'),
        ("openai", b'{"stream":false,"stream":true}', b'{"stream":false}'),
    ],
)
def test_only_what_asks_for_a_stream_differs(dialect: str, body: bytes, wanted: bytes) -> None:
    """A-052: the client's own bytes but for that."""
    assert unstreamed(body, dialect) == wanted
    assert unstreamed(wanted, dialect) == wanted


def test_what_was_not_read_is_not_edited() -> None:
    with pytest.raises(OurFault):
        unstreamed(b"[]", "openai")
