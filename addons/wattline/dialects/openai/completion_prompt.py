"""Requests of legacy completions, in both directions: a prompt is one user's text."""

from __future__ import annotations

from typing import Any

from wattline.dialects.fields import Fields, flag, optional_name, required, wrong
from wattline.dialects.openai.chat_prompt import HINTS, read_sampling, rest
from wattline.dialects.openai.omissions import Omissions
from wattline.wire.parts import Reasoning, Text, plain
from wattline.wire.prompt import Choice, Message, Prompt, Role, Written

MANY = "prompt (several texts, or tokens)"
"""The name of a prompt that is no single text, among a prompt's extras."""

_READ = frozenset(
    {
        *("prompt", "model", "stream", "stream_options", "user", "n", "max_tokens", "stop"),
        *("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"),
    }
)
_SAMPLING = (
    *("max_tokens", "temperature", "top_p", "seed"),
    *("presence_penalty", "frequency_penalty", "n"),
)
_EXTRAS = frozenset(
    {"best_of", "echo", "logit_bias", "logprobs", "suffix", "min_p", "repetition_penalty"}
)


def read_completion_prompt(body: Fields) -> Prompt:
    """The prompt of a request. Raises ClientFault naming the field at fault."""
    extras = rest(body, _READ)
    for key, usual in (("echo", False), ("suffix", ""), ("best_of", 1)):
        if extras.get(key) == usual:
            del extras[key]
    return Prompt(
        messages=_messages(required(body, "prompt"), extras),
        sampling=read_sampling(body),
        stream=flag(body, "stream"),
        user=optional_name(body, "user"),
        hints={key: body[key] for key in HINTS if body.get(key) is not None},
        extras=extras,
    )


def _messages(value: Any, extras: dict[str, Any]) -> tuple[Message, ...]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return (Message(Role.USER, (Text(value),) if value else ()),)
    if not isinstance(value, list) or not value:
        wrong("prompt", "'prompt' must be a string or an array with something in it.")
    extras[MANY] = value
    return ()


def write_completion_prompt(prompt: Prompt, model: str) -> Written:
    """The request for a provider. A conversation has no form here."""
    omissions = Omissions()
    body: dict[str, Any] = {"model": model, "prompt": _text(prompt, omissions)}
    _report(prompt, omissions)
    body |= _sampling(prompt, omissions)
    if prompt.user is not None:
        body["user"] = prompt.user
    for key, value in prompt.extras.items():
        if key == MANY:
            body["prompt"] = value
        elif key in _EXTRAS and not (key == "logprobs" and isinstance(value, bool)):
            body[key] = value
        else:
            omissions.refuse(key)
    if prompt.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return omissions.written(body)


def _report(prompt: Prompt, omissions: Omissions) -> None:
    """What only conversations have."""
    choice = prompt.tool_choice
    if prompt.tools:
        omissions.refuse("tools")
    if choice is not None and choice.choice in (Choice.REQUIRED, Choice.NAMED):
        omissions.refuse("tool_choice")
    if prompt.format is not None:
        omissions.refuse("response_format")
    if prompt.thinking is not None:
        omissions.drop("reasoning effort")
    for key in prompt.hints:
        omissions.drop(key)


def _sampling(prompt: Prompt, omissions: Omissions) -> dict[str, Any]:
    sampling = prompt.sampling
    found = {key: getattr(sampling, key) for key in _SAMPLING}
    if sampling.stop:
        found["stop"] = list(sampling.stop)
    if sampling.top_k is not None:
        omissions.refuse("top_k")
    return {key: value for key, value in found.items() if value is not None}


def _text(prompt: Prompt, omissions: Omissions) -> str:
    """The text of the one message of a user."""
    if len(prompt.messages) > 1:
        omissions.refuse("several messages")
    for message in prompt.messages:
        if message.role is not Role.USER:
            omissions.refuse(f"{message.role} messages")
        for part in message.parts:
            if isinstance(part, Reasoning):
                omissions.drop("reasoning in messages")
            elif not isinstance(part, Text):
                omissions.refuse(f"{part.kind} in messages")
    return "\n\n".join(filter(None, (plain(message.parts) for message in prompt.messages)))
