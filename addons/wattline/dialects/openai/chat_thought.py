"""A model's thought in chat messages.

OpenAI's API has no place for it. Providers put its text into `reasoning_content` (DeepSeek, xAI) or
`reasoning` (OpenRouter, Groq, vLLM, Ollama). What proves it unchanged is carried in OpenRouter's
`reasoning_details`, an array of `reasoning.text` (`text`, `signature`), `reasoning.summary` and
`reasoning.encrypted` (`data`): a client that sends an assistant's message back as it came sends it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wattline.wire.parts import Part, Reasoning

TEXTS = ("reasoning_content", "reasoning")
DETAILS = "reasoning_details"


def read_thought(message: Mapping[str, Any]) -> list[Reasoning]:
    """The thought in a message. What is not of the usual shape is passed over."""
    found = read_details(message.get(DETAILS))
    if any(part.text for part in found):
        return found
    texts = [message.get(key) for key in TEXTS]
    text = next((text for text in texts if isinstance(text, str) and text), None)
    return found if text is None else _texted(text, found)


def _texted(text: str, found: list[Reasoning]) -> list[Reasoning]:
    """Details without any text, and the text beside them."""
    if len(found) == 1 and found[0].redacted is None:
        return [Reasoning(text, found[0].signature)]
    return [Reasoning(text), *found]


def read_details(value: Any) -> list[Reasoning]:
    """The blocks of `reasoning_details`; pieces of one block, as streams give them, become one."""
    blocks: list[Reasoning] = []
    last: Any = None
    for item in value if isinstance(value, list) else ():
        block = read_detail(item)
        if block is None:
            continue
        index = item.get("index")
        if blocks and index == last and _continues(blocks[-1], block):
            blocks[-1] = Reasoning(blocks[-1].text + block.text, block.signature)
        else:
            blocks.append(block)
        last = index
    return blocks


def _continues(before: Reasoning, block: Reasoning) -> bool:
    return before.signature is None and before.redacted is None and block.redacted is None


def read_detail(item: Any) -> Reasoning | None:
    """One item of `reasoning_details`; None for what holds nothing of ours."""
    if not isinstance(item, dict):
        return None
    text = item.get("text") or item.get("summary")
    signature, data = item.get("signature"), item.get("data")
    block = Reasoning(
        text if isinstance(text, str) else "",
        signature if isinstance(signature, str) and signature else None,
        data if isinstance(data, str) and data else None,
    )
    return block if block != Reasoning() else None


def write_detail(block: Reasoning, index: int) -> dict[str, Any]:
    """One item of `reasoning_details`."""
    if block.redacted is None:
        item: dict[str, Any] = {"type": "reasoning.text", "text": block.text}
    else:
        item = {"type": "reasoning.encrypted", "data": block.redacted}
        if block.text:
            item["text"] = block.text
    if block.signature is not None:
        item["signature"] = block.signature
    return item | {"index": index}


def write_thought(
    parts: Iterable[Part], *, name: str | None = TEXTS[0], details: bool = True
) -> dict[str, Any]:
    """The members of a message for the thought in it: its text under `name`, and all of it in details
    where there is something that a text can't hold.
    """
    blocks = [part for part in parts if isinstance(part, Reasoning)]
    text = "".join(block.text for block in blocks)
    members: dict[str, Any] = {}
    if text and name is not None:
        members[name] = text
    if details and any(block.signature or block.redacted for block in blocks):
        members[DETAILS] = [write_detail(block, index) for index, block in enumerate(blocks)]
    return members
