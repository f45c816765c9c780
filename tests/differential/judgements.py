"""What is to be thought of each disagreement. The authority is the documentation of the API that is written or read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_OPENAI: Final = "https://platform.openai.com/docs/api-reference/chat/create"
_ANTHROPIC: Final = "https://docs.anthropic.com/en/api/messages"
_GEMINI: Final = "https://ai.google.dev/api/generate-content"


@dataclass(frozen=True)
class Judgement:
    """`pattern` finds the keys of its disagreements (way/client/provider/case/field/party)."""

    title: str
    pattern: str
    text: str
    authority: str

    def holds(self, key: str) -> bool:
        """It is about this disagreement."""
        return re.fullmatch(self.pattern, key) is not None


JUDGEMENTS: Final = (
    Judgement(
        "No limit at Anthropic",
        r"request/\w+/anthropic/.*/limit/LiteLLM",
        "Anthropic needs a `max_tokens`. Where the client sets none we send 4096, LiteLLM the most that the model can. "
        "Both are allowed; an operator sets another by `defaults: {max_tokens: …}`.",
        _ANTHROPIC,
    ),
    Judgement(
        "Schemas of tools at Gemini",
        r"request/(openai|anthropic)/gemini/.*/tools/.*",
        "Ours right: `parametersJsonSchema` takes JSON Schema as it is. The others write the older `parameters`, which "
        "knows no `additionalProperties`, and leave that out.",
        "https://ai.google.dev/api/caching#FunctionDeclaration",
    ),
    Judgement(
        "Schemas of tools from Gemini",
        r"request/gemini/\w+/.*/tools/llm-rosetta",
        "Ours right: `parametersJsonSchema` is a tool's schema. llm-rosetta reads `parameters` only, and sends a tool "
        "without arguments.",
        "https://ai.google.dev/api/caching#FunctionDeclaration",
    ),
    Judgement(
        "JSON that was asked for",
        r"request/\w+/\w+/json (schema|mode)/format/.*",
        "Ours right: the wish is part of the request; the others lose it without a word.",
        "https://platform.openai.com/docs/guides/structured-outputs",
    ),
    Judgement(
        "JSON mode at Anthropic",
        r"request/\w+/anthropic/json mode/refused/.*",
        "Ours refuses: Anthropic has JSON of a schema, and no JSON mode. LiteLLM makes a tool of it or sends nothing, "
        "llm-rosetta sends nothing.",
        "https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs",
    ),
    Judgement(
        "One call at a time",
        r"request/\w+/\w+/one call at a time/(refused|one at a time)/.*",
        "Ours right: Gemini has no such setting, so we refuse (a rule may drop it, and says so); OpenAI has one, and "
        "LiteLLM loses it.",
        "https://ai.google.dev/api/caching#FunctionCallingConfig",
    ),
    Judgement(
        "Several answers",
        r"request/\w+/\w+/two answers/(n|refused)/.*",
        "Ours right: a client that asks for two and gets one must be told; and OpenAI has `n`.",
        _OPENAI,
    ),
    Judgement(
        "Fields that one API alone has",
        r"request/\w+/\w+/(logprobs|logit bias|hot)/refused/.*|request/\w+/openai/sampling/refused/.*",
        "Ours refuses what changes the answer and has no counterpart (log probabilities, `logit_bias`, a temperature "
        "above 1 at Anthropic, `top_k` at OpenAI); the others leave it out, or send what the provider refuses.",
        _ANTHROPIC,
    ),
    Judgement(
        "Seed and penalties at Anthropic",
        r"request/openai/anthropic/(seed|penalties)/refused/LiteLLM",
        "A matter of taste: a seed is best effort by its own definition, and a penalty a nudge. We leave them out and "
        "say so in `x-wattline-dropped`; LiteLLM refuses unless told to drop them.",
        _OPENAI,
    ),
    Judgement(
        "Temperature and top_p at Claude",
        r"request/\w+/anthropic/sampling/top_p/.*",
        "Ours right for newer models: Claude 4.5 refuses both at once. The temperature goes, top_p is named as left out.",
        "https://docs.anthropic.com/en/docs/about-claude/models/migrating-to-claude-4",
    ),
    Judgement(
        "Gemini's other settings",
        r"request/gemini/\w+/(sampling/top_k|seed/seed|penalties/\w+_penalty|thinking/thinking|choice named/choice)/.*",
        "Ours right: they are in the request and the target has them; the others lose them.",
        _GEMINI,
    ),
    Judgement(
        "The user's name",
        r"request/\w+/\w+/user/user/llm-rosetta",
        "Ours right: `metadata.user_id` and `user` are the same thing.",
        _ANTHROPIC,
    ),
    Judgement(
        "LiteLLM's table of what providers can",
        r"request/\w+/openai/(thinking|thought in history|effort)/refused/LiteLLM",
        "No matter of translation: LiteLLM refuses by its own table of the provider that stands in for OpenAI here.",
        _OPENAI,
    ),
    Judgement(
        "Effort at a model that has none",
        r"request/responses/openai/effort/thinking/llm-rosetta",
        "Ours right: gpt-4o refuses `reasoning_effort`; it is named as left out.",
        "https://platform.openai.com/docs/guides/reasoning",
    ),
    Judgement(
        "How much thinking a word or a number is",
        r"request/(openai|responses)/(anthropic|gemini)/(effort|no effort)/thinking/.*"
        r"|request/anthropic/gemini/(thinking|thought in history)/thinking/LiteLLM",
        "No document says how many tokens `low` is: 2048 and 1024 are both allowed. `effort` is not known to Claude "
        "Sonnet 4.5, so llm-rosetta's is refused. A budget that the client gave is kept by us and made a word by "
        "LiteLLM. No thinking and thinking that is switched off are the same.",
        "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
    ),
    Judgement(
        "Who speaks first",
        r"request/openai/anthropic/begins with assistant/turns/.*",
        "Ours is safe: Anthropic wants a user's message first, so a full stop stands there. The others send what was sent.",
        _ANTHROPIC,
    ),
    Judgement(
        "A system message in the middle",
        r"request/openai/anthropic/late system/(system|turns)/.*",
        "Both can be defended: we keep its weight and lose its place, LiteLLM the other way round.",
        _ANTHROPIC,
    ),
    Judgement(
        "Blocks of a system prompt",
        r"request/anthropic/gemini/system blocks/system/LiteLLM",
        "Ours right: two blocks stay two parts; LiteLLM writes them together without a space.",
        _GEMINI,
    ),
    Judgement(
        "Pictures by URL at Gemini",
        r"request/\w+/gemini/picture by url/.*",
        "Ours passes the URL on, as `fileData` allows (`inline_images` fetches it instead). The others fetch it "
        "themselves; llm-rosetta loses the picture when that fails.",
        "https://ai.google.dev/gemini-api/docs/image-understanding",
    ),
    Judgement(
        "Pictures in a tool's result",
        r"request/anthropic/\w+/picture in a result/turns/.*",
        "The targets' results hold text alone. We put the picture behind the result, where the model sees it; LiteLLM "
        "and llm-rosetta do that in other words, or lose it, or write it out as JSON.",
        _OPENAI,
    ),
    Judgement(
        "Pictures from Gemini",
        r"request/gemini/\w+/picture as data/turns/LiteLLM",
        "Ours right: LiteLLM loses the picture.",
        _GEMINI,
    ),
    Judgement(
        "Equal calls side by side",
        r"request/(openai|anthropic)/gemini/parallel calls/turns/LiteLLM",
        "Ours right: two calls with equal arguments are two calls, and each has its result. LiteLLM writes one of them.",
        "https://ai.google.dev/gemini-api/docs/function-calling",
    ),
    Judgement(
        "Results of tools from Gemini",
        r"request/gemini/\w+/(call and result|parallel calls)/turns/.*",
        "Ours right: a `response` with one `result` is that text. LiteLLM passes its JSON on (and makes two equal calls "
        "one at Anthropic), llm-rosetta loses it.",
        "https://ai.google.dev/gemini-api/docs/function-calling",
    ),
    Judgement(
        "Thought in the history at OpenAI",
        r"request/anthropic/openai/thought in history/turns/llm-rosetta",
        "Ours right for OpenAI: its messages have no `reasoning_content`. Providers that know the field get it "
        "(`dialects/codecs.py`, traits).",
        _OPENAI,
    ),
    Judgement(
        "Cached tokens are part of the prompt, or not",
        r"(answer|stream)/\w+/\w+/(cached|written) tokens/prompt tokens/llm-rosetta"
        r"|stream/\w+/gemini/[\w ]+/prompt tokens/llm-rosetta",
        "Ours right: Anthropic counts cached tokens beside `input_tokens`, OpenAI and Google within the prompt's. "
        "llm-rosetta copies the number; of Gemini's streams it adds up counts that are each a total.",
        "https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching",
    ),
    Judgement(
        "Why an answer ended",
        r"(answer|stream)/\w+/\w+/(calls|text and call|filtered)/why/llm-rosetta",
        "Ours right: Gemini says STOP for a call, and the client's dialect has a word for calls and one for refusals.",
        _GEMINI,
    ),
    Judgement(
        "The text of a refusal",
        r"answer/\w+/\w+/filtered/text/.*",
        "Ours right: what the provider said is what the client gets. llm-rosetta adds a sentence, LiteLLM loses the text.",
        "https://docs.anthropic.com/en/api/handling-stop-reasons",
    ),
    Judgement(
        "Where thought is counted",
        r"(answer|stream)/\w+/\w+/thought/(completion|reasoning) tokens/llm-rosetta",
        "Ours right: Google counts thoughts beside the candidates' tokens, OpenAI and Anthropic within the completion's.",
        "https://ai.google.dev/api/generate-content#UsageMetadata",
    ),
    Judgement(
        "Reasoning tokens of Claude",
        r"(answer|stream)/(openai|responses)/anthropic/thought/reasoning tokens/LiteLLM",
        "Ours right: Anthropic does not tell them. LiteLLM counts the words of a summary and calls that a count.",
        "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
    ),
    Judgement(
        "What Gemini's clients are told by LiteLLM",
        r"(answer|stream)/gemini/\w+/.*/((cached|prompt|completion|reasoning) tokens|thought|signature)/LiteLLM",
        "Ours right: the answer has thought, its signature and counts; LiteLLM's way to Gemini's clients loses them, in "
        "streams all counts.",
        _GEMINI,
    ),
    Judgement(
        "The signature of a thought",
        r"(answer|stream)/(openai|responses)/anthropic/thought/signature/.*"
        r"|(answer|stream)/gemini/anthropic/thought/signature/llm-rosetta",
        "Ours right: without its signature a thought can't be sent back. Responses carry it in `encrypted_content`, "
        "which is opaque: LiteLLM's holds more and means the same.",
        "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
    ),
    Judgement(
        "Calls that come in turns",
        r"stream/anthropic/openai/calls/refused/.*|stream/anthropic/gemini/calls/calls/llm-rosetta",
        "Ours right: OpenAI's streams may tell arguments of several calls in turns, and Gemini's two calls in one event. "
        "The others mix them or lose one.",
        "https://platform.openai.com/docs/api-reference/chat-streaming",
    ),
)
