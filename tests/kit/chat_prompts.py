"""Strategies for prompts that a chat request can say, and the calls of their clients."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kit.neutral_answers import BASE64, CALLS, NAMES, TEXTS, thoughts
from wattline.wire.parts import Audio, File, Image, Part, Refusal, Text, ToolCall, ToolResult
from wattline.wire.prompt import (
    Choice,
    Format,
    Message,
    Prompt,
    Role,
    Sampling,
    Thinking,
    Tool,
    ToolChoice,
)

CACHE = st.none() | st.just({"type": "ephemeral"})
TEXT_PARTS = st.builds(Text, TEXTS, CACHE)
URLS = NAMES.map(lambda name: f"https://example.com/{name}")
SCHEMAS = st.fixed_dictionaries({"type": st.just("object")})
USER_PARTS = (
    TEXT_PARTS
    | st.builds(Image, url=URLS, detail=st.none() | st.just("low"), cache=CACHE)
    | st.builds(Image, st.just("image/png"), BASE64, cache=CACHE)
    | st.builds(Audio, st.sampled_from(("audio/wav", "audio/mp3")), BASE64)
    | st.builds(File, st.none() | st.just("application/pdf"), BASE64, name=NAMES, cache=CACHE)
    | st.builds(File, id=NAMES, name=st.none() | NAMES, cache=CACHE)
)


@st.composite
def _assistants(draw: st.DrawFn) -> Message:
    parts: list[Part] = [*draw(thoughts())]
    parts += draw(st.lists(TEXT_PARTS, max_size=2))
    parts += draw(st.lists(st.builds(Refusal, TEXTS), max_size=1))
    return Message(Role.ASSISTANT, (*parts, *draw(CALLS)), draw(st.none() | NAMES))


MESSAGES = (
    st.builds(
        Message,
        st.sampled_from((Role.SYSTEM, Role.DEVELOPER)),
        st.lists(TEXT_PARTS, max_size=2).map(tuple),
        st.none() | NAMES,
    )
    | st.builds(
        Message,
        st.just(Role.USER),
        st.lists(USER_PARTS, max_size=3).map(tuple),
        st.none() | NAMES,
    )
    | _assistants()
    | st.builds(
        lambda call, parts: Message(Role.TOOL, (ToolResult(call, tuple(parts)),)),
        st.sampled_from(("c1", "c2")) | TEXTS,
        st.lists(TEXT_PARTS, max_size=2),
    )
)


def _named(messages: list[Message]) -> tuple[Message, ...]:
    """The messages, with each result's tool named where a call before it says so."""
    names: dict[str, str] = {}
    found = []
    for message in messages:
        parts: list[Any] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                names[part.id] = part.name
            named = isinstance(part, ToolResult)
            parts.append(ToolResult(part.call, part.parts, names.get(part.call)) if named else part)
        found.append(Message(message.role, tuple(parts), message.name))
    return tuple(found)


TOOLS = st.builds(
    Tool, NAMES, st.none() | TEXTS, st.none() | SCHEMAS, st.none() | st.booleans(), CACHE
)
FORMATS = st.just(Format()) | st.builds(
    Format, SCHEMAS, NAMES, st.none() | TEXTS, st.none() | st.booleans()
)
SAMPLINGS = st.builds(
    Sampling,
    max_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(1, 100),
    stop=st.lists(TEXTS, max_size=3).map(tuple),
    seed=st.none() | st.integers(-(2**60), 2**60),
    presence_penalty=st.none() | st.floats(-2, 2),
    frequency_penalty=st.none() | st.floats(-2, 2),
    n=st.none() | st.integers(1, 4),
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "logit_bias": st.just({"50256": -100}),
        "logprobs": st.booleans(),
        "modalities": st.just(["text"]),
        "min_p": st.floats(0, 1),
        "web_search_options": st.just({"search_context_size": "low"}),
    },
)
HINTS = st.fixed_dictionaries(
    {"store": st.sampled_from((True,))},
    optional={"metadata": st.just({"a": "b"}), "service_tier": NAMES, "verbosity": NAMES},
) | st.just({})


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """A prompt that a chat request can say in full."""
    tools = tuple(draw(st.lists(TOOLS, max_size=2)))
    parallel = draw(st.none() | st.booleans())
    choices = st.sampled_from((Choice.AUTO, Choice.NONE, Choice.REQUIRED)).map(
        lambda choice: ToolChoice(choice, None, parallel)
    ) | NAMES.map(lambda name: ToolChoice(Choice.NAMED, name, parallel))
    return Prompt(
        messages=_named(draw(st.lists(MESSAGES, max_size=4))),
        tools=tools,
        tool_choice=draw(st.none() | choices) if tools else None,
        format=draw(st.none() | FORMATS),
        sampling=draw(SAMPLINGS),
        thinking=draw(st.none() | st.sampled_from(("none", "low", "max")).map(Thinking)),
        stream=draw(st.booleans()),
        user=draw(st.none() | NAMES),
        hints=draw(HINTS),
        extras=draw(EXTRAS),
    )
