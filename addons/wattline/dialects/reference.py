"""docs/dialects.md, made from the code: `python -m wattline.dialects.reference [FILE]`.

What a provider's API can express is not written down twice: each codec is asked to write a prompt with
that one feature, and what it reports goes into the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from wattline.dialects.codecs import provider_names, provider_side
from wattline.dialects.crossing import crosses
from wattline.dialects.table import own_routes
from wattline.wire.call import Operation
from wattline.wire.parts import Audio, File, Image, Reasoning, Text, ToolCall, ToolResult
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

FILE = Path("docs/dialects.md")
PROVIDERS = provider_names()
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "gpt-5",
        "anthropic": "claude-sonnet-4-5",
        "gemini": "gemini-2.5-pro",
        "ollama": "llama3.2",
        "generate": "claude-sonnet-4-6",
    }
)
"""The models for which the table is true; some differ within a provider."""
_HOSTS: Mapping[str, str] = MappingProxyType({"openai": "api.openai.com"})
_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOL = Tool("weather", "Tells the weather.", _SCHEMA)
_ASK = Message(Role.USER, (Text("Hello"),))
_PLAIN = Prompt((_ASK,))


def _with(*parts: Text | Image | Audio | File) -> Prompt:
    return Prompt((Message(Role.USER, (Text("Look:"), *parts)),))


def _tools(choice: ToolChoice | None = None) -> Prompt:
    return replace(_PLAIN, tools=(_TOOL,), tool_choice=choice)


def _history(*, error: bool) -> Prompt:
    call = Message(Role.ASSISTANT, (ToolCall("call_1", "weather", '{"city":"Oslo"}'),))
    result = ToolResult("call_1", (Text("4 degrees"),), "weather", error=error)
    return replace(_tools(), messages=(_ASK, call, Message(Role.TOOL, (result,)), _ASK))


def _thought(part: Reasoning) -> Prompt:
    answer = Message(Role.ASSISTANT, (part, Text("Hi.")))
    return Prompt((_ASK, answer, _ASK))


FEATURES: Mapping[str, Prompt] = MappingProxyType(
    {
        "system messages": Prompt((Message(Role.SYSTEM, (Text("Be brief."),)), _ASK)),
        "developer messages": Prompt((Message(Role.DEVELOPER, (Text("Be brief."),)), _ASK)),
        "several turns": Prompt((_ASK, Message(Role.ASSISTANT, (Text("Hi."),)), _ASK)),
        "pictures as base64": _with(Image("image/png", _PICTURE)),
        "pictures by URL": _with(Image(url="https://example.com/a.png")),
        "sound": _with(Audio("audio/wav", "UklGRg==")),
        "PDF files": _with(File("application/pdf", "JVBERi0=", name="a.pdf")),
        "tools": _tools(),
        "tool results": _history(error=False),
        "tool results that are errors": _history(error=True),
        "tool_choice: a tool must be called": _tools(ToolChoice(Choice.REQUIRED)),
        "tool_choice: this tool": _tools(ToolChoice(Choice.NAMED, "weather")),
        "tool_choice: none": _tools(ToolChoice(Choice.NONE)),
        "one tool call at a time": _tools(ToolChoice(parallel=False)),
        "JSON mode": replace(_PLAIN, format=Format()),
        "JSON of a schema": replace(_PLAIN, format=Format(_SCHEMA, "city")),
        "max_tokens": replace(_PLAIN, sampling=Sampling(max_tokens=100)),
        "temperature": replace(_PLAIN, sampling=Sampling(temperature=0.5)),
        "temperature above 1": replace(_PLAIN, sampling=Sampling(temperature=1.5)),
        "top_p": replace(_PLAIN, sampling=Sampling(top_p=0.9)),
        "top_k": replace(_PLAIN, sampling=Sampling(top_k=40)),
        "stop": replace(_PLAIN, sampling=Sampling(stop=("END",))),
        "seed": replace(_PLAIN, sampling=Sampling(seed=1)),
        "penalties": replace(
            _PLAIN, sampling=Sampling(presence_penalty=0.5, frequency_penalty=0.5)
        ),
        "n above 1": replace(_PLAIN, sampling=Sampling(n=2)),
        "reasoning effort": replace(_PLAIN, thinking=Thinking(effort="high")),
        "reasoning budget": replace(_PLAIN, thinking=Thinking(budget=4096)),
        "signed reasoning of earlier turns": _thought(Reasoning("Hm.", signature="c2ln")),
        "user": replace(_PLAIN, user="u-1"),
    }
)

_INTRO = """# Dialects

Made by `python -m wattline.dialects.reference`; a test compares the two.

A client speaks one API, a provider another, and rules.yaml decides which provider gets the call. Where both
speak the same, the client's bytes go through as they are, but for the model's name, what the operator sets, and
the usage with its energy on the way back. Where they differ, request and answer are translated, whole and
streamed, errors too. A client always gets its own dialect.

## What clients can call

On the sidecar's own address. On an intercepted host the host's own paths are taken.

| path | dialect | operation | can be answered by |
|---|---|---|---|
"""
_PREFIXES = """
Below `/openai/v1` and `/v4` (Groq's clients) and `/v6` (OpenRouter's) the paths of `/v1` that are OpenAI's; below
`/v2` Gemini's, `/v3` Anthropic's, `/v5` Ollama's, each with and without what the API's SDK puts before a path. So an
SDK's base URL is the sidecar's address, with such a prefix or without. `ENABLE_OPENAI_ROUTES`,
`ENABLE_ANTHROPIC_ROUTES`, `ENABLE_GEMINI_ROUTES`, `ENABLE_GROQ_ROUTES`, `ENABLE_OPENROUTER_ROUTES` and
`ENABLE_OLLAMA_ROUTES` set to `false` close them. A client's key for the sidecar may be in `Authorization: Bearer`,
`api-key`, `x-api-key`, `x-goog-api-key` or the query's `key`.
"""
_PAGES = """
What follows on a call is asked of the provider that made it: `GET` and `DELETE` of `/v1/videos/{id}`,
`/v1/responses/{id}`, `/v1/interactions/{id}`, `/v1/videos/{id}/content`, `/v1/responses/{id}/input_items`, and
`POST …/cancel`. Lists of models are pages of the sidecar itself: `/v1/models`, `/v1beta/models`, `/api/tags`,
`/api/show`, `/api/ps`, `/api/version`, `/api/v1/models`, `/api/v1/providers`, and `/v1/audio/models` and
`/v1/audio/voices` for sound. For `/v1/realtime` and `/ws` see
[websockets.md](websockets.md).

A model that only its provider lists is told by the name to call it by: the provider's own, where a rule takes that to it
(`openai/gpt-4o` at OpenRouter), else `provider/model`. `/api/v1/models?provider=` knows providers, and whose models they are
by the first part of such a name. Lists of more than 1 KiB are compressed for clients that take gzip.
"""
_MATRIX = """
## What a provider's API can express

`yes`: it is sent. `left out`: it changes no answer's meaning, or the provider always does so; the header
`x-wattline-dropped` names it. `no`: with the rule's `unsupported: error` (the default) the target is not tried, and
when no other is left the client gets a 400 that names it; with `unsupported: drop` it is left out and named in the
header and the log. The table holds for {models}.

"""
_OUTRO = """
Fields that only one API has (logit_bias, hosted tools, safety settings, …) go through to a provider of that API
and are a `no` for all others.

## Changes that models need

`adapt` on a provider, a model's entry or a rule: see docs/rules.md. `whole` makes a stream out of a whole answer,
`no_system`, `alternate` and `reasoner` change the conversation's form and lose nothing of its text.

## Pictures by URL

A provider with `inline_images: true` can't fetch pictures itself. Those that a call names by http or https URL are
then fetched by the sidecar and sent as base64: only from public addresses, checked and connected to by the same
address, redirects checked again, at most 8 MiB each and 15 s (`IMAGE_FETCH_MAX_BYTES`, `IMAGE_FETCH_TIMEOUT_MS`,
`IMAGE_FETCH_MAX_REDIRECTS`, `IMAGE_FETCH_ALLOWED_HOSTS`, `IMAGE_FETCH_ALLOWED_PROTOCOLS`, `IMAGE_FETCH_ALLOW_PRIVATE`,
`IMAGE_FETCH_FORWARD_AUTH`, `IMAGE_FETCH_USER_AGENT`, `IMAGE_FETCH_REFERER`; a call's own `x-image-fetch-referer`).
"""


def page() -> str:
    """The whole page."""
    models = ", ".join(f"{name}: {MODELS[name]}" for name in PROVIDERS if name in MODELS)
    lines = [
        _INTRO,
        *_paths(),
        _PREFIXES,
        _PAGES,
        _MATRIX.format(models=models),
        *_matrix(),
        _OUTRO,
    ]
    return "".join(lines)


def _paths() -> Iterator[str]:
    for path, route in own_routes():
        able = [name for name in PROVIDERS if crosses(route.operation, route.dialect, name)]
        who = "every provider" if len(able) == len(PROVIDERS) else ", ".join(able)
        if route.operation is Operation.COUNT_TOKENS:
            who += "; else the sidecar, by an estimate (`x-wattline-estimated`)"
        yield f"| `{path}` | {route.dialect} | {route.operation} | {who or 'the sidecar'} |\n"


def _matrix() -> Iterator[str]:
    yield "| | " + " | ".join(PROVIDERS) + " |\n"
    yield "|---" * (len(PROVIDERS) + 1) + "|\n"
    for feature, prompt in FEATURES.items():
        cells = (verdict(name, prompt) for name in PROVIDERS)
        yield f"| {feature} | {' | '.join(cells)} |\n"


def verdict(provider: str, prompt: Prompt) -> str:
    """What becomes of a prompt's one feature at a provider."""
    side = provider_side(provider, _HOSTS.get(provider, ""))
    written = side.codec.write_prompt(prompt, MODELS.get(provider, "model"))
    if written.unsupported:
        return "no"
    return "left out" if written.dropped else "yes"


def main(arguments: list[str]) -> None:
    """Write the page to the file that is named, or to its place."""
    target = Path(arguments[0]) if arguments else FILE
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
