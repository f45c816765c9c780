"""What functions are said to give back."""

from __future__ import annotations

from typing import Any

from wattline.dialects.gemini.read_tools import read_tools
from wattline.wire.prompt import Tool


def test_what_a_function_gives_back_is_a_hint() -> None:
    """Google's SDK says it of every Python function: no reason to refuse a call."""
    declared = {
        "name": "f",
        "responseJsonSchema": {"type": "string"},
        "response": {"type": "STRING"},
    }
    extras: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    tools = read_tools({"tools": [{"functionDeclarations": [declared]}]}, extras, hints)
    assert tools == (Tool("f"),)
    assert extras == {}
    at = "tools[0].functionDeclarations[0]"
    assert hints == {
        f"{at}.response": {"type": "STRING"},
        f"{at}.responseJsonSchema": {"type": "string"},
    }


def test_how_a_function_is_called_is_no_hint() -> None:
    extras: dict[str, Any] = {}
    declared = {"name": "f", "behavior": "NON_BLOCKING"}
    read_tools({"tools": [{"functionDeclarations": [declared]}]}, extras, {})
    assert extras == {"tools[0].functionDeclarations[0].behavior": "NON_BLOCKING"}
