"""`POST /v1/completions`: the older text endpoint.

Shapes: https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wattline.demo.asked import Asked, sentence
from wattline.demo.chat import (
    MOST_CHOICES,
    MOST_TOKENS,
    Frame,
    asks_stream,
    asks_usage,
    stream_error,
    usage_of,
    with_usage,
)
from wattline.demo.check import Fields, Refused
from wattline.demo.output import Output, read_stops, say
from wattline.demo.reply import Event, Kind, Reply
from wattline.demo.tokens import count

DEFAULT_LIMIT = 16
"""`max_tokens` when the client sets none, as OpenAI documents it."""


def completion(asked: Asked) -> Reply:
    """Answer a text completion. Raises Refused."""
    fields = asked.fields
    model = fields.text("model", required=True) or ""
    prompts = read_inputs(fields, "prompt")
    fields.number("temperature", 0, 2)
    choices = (fields.integer("n", 1, MOST_CHOICES) or 1) * len(prompts)
    if choices > MOST_CHOICES:
        raise Refused(f"You asked for more than {MOST_CHOICES} completions.", param="n")
    tokens = max(1, sum(prompts))
    output = _output(asked, len(prompts), tokens)
    reply = Reply(prompt_tokens=tokens, completion_tokens=output.tokens * choices)
    frame = Frame(asked.id("cmpl-"), "text_completion", asked.created, model)
    usage = usage_of(tokens, reply.completion_tokens)
    if asks_stream(fields):
        events = with_usage(
            _chunks(frame, output, choices), frame, usage if asks_usage(fields) else None
        )
        reply.content_type = "text/event-stream; charset=utf-8"
        reply.events = events
        reply.delta = lambda text: _chunk(frame, 0, text, Kind.OUTPUT, tokens=count(text))
        reply.error = stream_error
    else:
        every = [_choice(index, output.text, output.finish) for index in range(choices)]
        reply.body = frame.whole(every) | {"usage": usage}
    return reply


def read_inputs(fields: Fields, name: str) -> list[int]:
    """How many tokens each input has: a text, tokens, or an array of either. Raises Refused."""
    value = fields.need(name)
    if isinstance(value, str):
        return [count(value)]
    if not isinstance(value, list):
        raise fields.wrong_type(name, "a string or an array")
    if not value:
        raise fields.empty(name)
    if all(_is_token(one) for one in value):
        return [len(value)]
    return [_input_tokens(fields, name, one) for one in value]


def _input_tokens(fields: Fields, name: str, value: object) -> int:
    if isinstance(value, str):
        return count(value)
    if isinstance(value, list) and all(_is_token(one) for one in value):
        return len(value)
    raise fields.wrong_type(name, "an array of strings or of arrays of tokens")


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _output(asked: Asked, prompts: int, tokens: int) -> Output:
    text = sentence(prompts, "prompt", tokens) if asked.words is None else asked.words
    limit = asked.fields.integer("max_tokens", 1, MOST_TOKENS)
    if limit is None and asked.words is None:
        limit = DEFAULT_LIMIT
    return say(text, stops=read_stops(asked.fields), limit=limit)


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _chunk(
    frame: Frame, index: int, text: str, kind: Kind, *, finish: str | None = None, tokens: int = 0
) -> Event:
    return Event(frame.chunk([_choice(index, text, finish)]), kind, tokens=tokens)


def _chunks(frame: Frame, output: Output, choices: int) -> Iterator[Event]:
    for piece in output.pieces:
        for index in range(choices):
            yield _chunk(frame, index, piece, Kind.OUTPUT, tokens=1)
    for index in range(choices):
        yield _chunk(frame, index, "", Kind.FINISH, finish=output.finish)
