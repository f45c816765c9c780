"""Writes a prompt as a chat request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wattline.dialects.openai.chat_history import HistoryWriter
from wattline.dialects.openai.chat_prompt import HINTS
from wattline.dialects.openai.chat_tools import write_choice, write_tools
from wattline.dialects.openai.chat_traits import ChatTraits, limit_name, takes_effort
from wattline.dialects.openai.omissions import Omissions
from wattline.wire.prompt import Choice, Format, Prompt, Sampling, Thinking, Written

_EXTRAS = frozenset(
    {
        # OpenAI
        *("audio", "logit_bias", "logprobs", "modalities", "moderation", "prediction"),
        *("response_format", "tool_choice", "top_logprobs", "web_search_options"),
        # OpenRouter, vLLM, Mistral, Groq, xAI, Perplexity
        *("min_p", "top_a", "repetition_penalty", "provider", "models", "route", "transforms"),
        *("plugins", "safe_prompt", "prompt_mode", "reasoning_format", "search_parameters"),
        *("chat_template_kwargs", "ignore_eos", "guided_json", "guided_regex", "guided_choice"),
        *("search_domain_filter", "search_recency_filter", "return_images", "search_mode"),
        *("return_related_questions", "enable_thinking"),
        # LiteLLM
        *("fallbacks", "cache"),
    }
)
"""Fields without a neutral form that mean here what they mean to a chat client."""

_LOW_BUDGET, _MEDIUM_BUDGET = 4096, 16384
"""Tokens of thought below which an effort is `low`, and `medium`: near to what OpenAI's models use."""


def write_chat_prompt(prompt: Prompt, model: str, traits: ChatTraits) -> Written:
    """The request for a provider."""
    omissions = Omissions()
    writer = HistoryWriter(traits, omissions)
    body: dict[str, Any] = {"model": model, "messages": writer.write(prompt.messages)}
    if prompt.tools:
        body["tools"] = write_tools(prompt.tools, cache=traits.cache)
    body |= _choice(prompt)
    if prompt.format is not None:
        body["response_format"] = _format(prompt.format)
    body |= _sampling(prompt.sampling, model, traits, omissions)
    if prompt.thinking is not None:
        body |= _thinking(prompt.thinking, model, traits, omissions)
    hints = dict(prompt.hints)
    headers = _headers(hints, traits)
    body |= _hints(replace(prompt, hints=hints), traits, omissions)
    for key, value in prompt.extras.items():
        known = key in _EXTRAS or key in prompt.trusted
        if known and not (key == "logprobs" and not isinstance(value, bool)):
            body.setdefault(key, value)
        else:
            omissions.refuse(key)
    if prompt.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return replace(omissions.written(body), headers=headers)


def _headers(hints: dict[str, Any], traits: ChatTraits) -> tuple[tuple[str, str], ...]:
    """The hints that are headers there, taken out of the others. What no header can hold stays."""
    found = []
    for hint, name in traits.headers:
        value = hints.get(hint)
        text = str(value).lower() if isinstance(value, bool) else value
        if isinstance(text, str) and text and text.isascii() and text.isprintable():
            found.append((name, text))
            del hints[hint]
    return tuple(found)


def _choice(prompt: Prompt) -> dict[str, Any]:
    """Without tools OpenAI refuses the field, and only a demand for a call means anything."""
    choice = prompt.tool_choice
    if choice is None or (not prompt.tools and choice.choice in (Choice.AUTO, Choice.NONE)):
        return {}
    return write_choice(choice)


def _format(wanted: Format) -> dict[str, Any]:
    if wanted.schema is None and wanted.name is None:
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name or "answer"}
    for key in ("description", "schema", "strict"):
        if getattr(wanted, key) is not None:
            schema[key] = getattr(wanted, key)
    return {"type": "json_schema", "json_schema": schema}


def _sampling(
    sampling: Sampling, model: str, traits: ChatTraits, omissions: Omissions
) -> dict[str, Any]:
    found: dict[str, Any] = {limit_name(traits, model): sampling.max_tokens}
    for key in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "n"):
        found[key] = getattr(sampling, key)
    if sampling.top_k is not None:
        if traits.top_k:
            found["top_k"] = sampling.top_k
        else:
            omissions.refuse("top_k")
    if sampling.stop:
        found["stop"] = list(sampling.stop)
    return {key: value for key, value in found.items() if value is not None}


def _thinking(
    thinking: Thinking, model: str, traits: ChatTraits, omissions: Omissions
) -> dict[str, Any]:
    """An effort. A budget becomes the effort nearest to it. To leave thought to the model, or to switch
    it off by a budget of 0, says nothing here: most models without thought refuse the word `none`.
    """
    if thinking.visible is False:
        omissions.drop("hidden reasoning")
    effort = thinking.effort
    if effort is None and thinking.budget is not None:
        effort = _effort(thinking.budget)
        if effort is None:
            omissions.drop("reasoning budget")
    if effort is None:
        return {}
    if not takes_effort(traits, model):
        omissions.drop("reasoning effort")
        return {}
    return {"reasoning_effort": effort}


def _effort(budget: int) -> str | None:
    if budget <= 0:
        return None
    if budget < _LOW_BUDGET:
        return "low"
    return "medium" if budget < _MEDIUM_BUDGET else "high"


def _hints(prompt: Prompt, traits: ChatTraits, omissions: Omissions) -> dict[str, Any]:
    """OpenAI takes `metadata` only with what it stores."""
    found = dict(prompt.hints) if prompt.user is None else {**prompt.hints, "user": prompt.user}
    written = {}
    for key, value in found.items():
        known = traits.hints and (key in HINTS or key == "user")
        if known and (key != "metadata" or prompt.hints.get("store") is True):
            written[key] = value
        else:
            omissions.drop(key)
    return written
