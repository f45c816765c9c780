"""What is translated: requests of clients' dialects, one feature each, and answers of providers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ARGUMENTS: Final = {"city": "Zürich"}
MODELS: Final = MappingProxyType(
    {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}
)
PAIRS: Final = (
    ("openai", "anthropic"),
    ("openai", "gemini"),
    ("anthropic", "openai"),
    ("anthropic", "gemini"),
    ("gemini", "openai"),
    ("gemini", "anthropic"),
    ("responses", "openai"),
    ("responses", "anthropic"),
)
"""A client's dialect and a provider's."""


def _says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


HI: Final = _says("user", "Hi")


def _openai() -> dict[str, dict[str, Any]]:
    tool = {"type": "function", "function": {"name": "weather", "description": "Tells it."}}
    tool["function"]["parameters"] = SCHEMA
    tools = {"messages": [HI], "tools": [tool]}

    def call(number: int) -> dict[str, Any]:
        function = {"name": "weather", "arguments": '{"city": "Zürich"}'}
        return {"id": f"call_{number}", "type": "function", "function": function}

    def result(number: int, text: str) -> dict[str, Any]:
        return _says("tool", text, tool_call_id=f"call_{number}")

    def picture(url: str) -> dict[str, Any]:
        parts = [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return {"messages": [_says("user", parts)]}

    def form(value: Any) -> dict[str, Any]:
        return {"messages": [HI], "response_format": value}

    schema = {"name": "place", "strict": True, "schema": SCHEMA}
    named = {"type": "function", "function": {"name": "weather"}}
    asked = _says("assistant", None, tool_calls=[call(1), call(2)])
    return {
        "text": {"messages": [HI]},
        "system": {"messages": [_says("system", "Be brief."), HI]},
        "developer": {"messages": [_says("developer", "Be brief."), HI]},
        "two systems": {"messages": [_says("system", "A."), _says("system", "B."), HI]},
        "late system": {"messages": [HI, _says("assistant", "Yes?"), _says("system", "B."), HI]},
        "turns": {"messages": [HI, _says("assistant", "Yes?"), _says("user", "Go on")]},
        "neighbours": {"messages": [HI, _says("user", "There")]},
        "begins with assistant": {"messages": [_says("assistant", "Yes?"), HI]},
        "picture as data": picture(f"data:image/png;base64,{PNG}"),
        "picture by url": picture("https://example.com/a.png"),
        "tools": tools,
        "tool without parameters": {
            "messages": [HI],
            "tools": [{"type": "function", "function": {"name": "now"}}],
        },
        "parallel calls": {
            **tools,
            "messages": [HI, asked, result(1, "4 degrees"), result(2, "5 degrees"), HI],
        },
        "call with text": {
            **tools,
            "messages": [
                HI,
                _says("assistant", "I look.", tool_calls=[call(1)]),
                result(1, "4 degrees"),
            ],
        },
        "choice auto": {**tools, "tool_choice": "auto"},
        "choice none": {**tools, "tool_choice": "none"},
        "choice required": {**tools, "tool_choice": "required"},
        "choice named": {**tools, "tool_choice": named},
        "one call at a time": {**tools, "parallel_tool_calls": False},
        "json mode": form({"type": "json_object"}),
        "json schema": form({"type": "json_schema", "json_schema": schema}),
        "limit": {"messages": [HI], "max_tokens": 77},
        "new limit": {"messages": [HI], "max_completion_tokens": 77},
        "stop": {"messages": [HI], "stop": "END"},
        "stops": {"messages": [HI], "stop": ["A", "B"]},
        "sampling": {"messages": [HI], "temperature": 0.5, "top_p": 0.9},
        "hot": {"messages": [HI], "temperature": 1.5},
        "seed": {"messages": [HI], "seed": 7},
        "penalties": {"messages": [HI], "presence_penalty": 0.5, "frequency_penalty": 0.25},
        "two answers": {"messages": [HI], "n": 2},
        "effort": {"messages": [HI], "max_tokens": 9000, "reasoning_effort": "low"},
        "no effort": {"messages": [HI], "reasoning_effort": "none"},
        "user": {"messages": [HI], "user": "u-1"},
        "logprobs": {"messages": [HI], "logprobs": True, "top_logprobs": 2},
        "logit bias": {"messages": [HI], "logit_bias": {"50256": -100}},
    }


def _anthropic() -> dict[str, dict[str, Any]]:
    tool = {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}
    tools = {"messages": [HI], "tools": [tool]}

    def block(source: dict[str, Any]) -> dict[str, Any]:
        parts = [{"type": "text", "text": "Look"}, {"type": "image", "source": source}]
        return {"messages": [_says("user", parts)]}

    def use(number: int) -> dict[str, Any]:
        return {
            "type": "tool_use",
            "id": f"call_{number}",
            "name": "weather",
            "input": ARGUMENTS,
        }

    def result(number: int, content: Any, **more: Any) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": f"call_{number}", "content": content, **more}

    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    kept = {"type": "ephemeral"}
    pictured = [{"type": "text", "text": "It shows"}]
    pictured.append(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    )
    cases = {
        "text": {"messages": [HI]},
        "system": {"system": "Be brief.", "messages": [HI]},
        "system blocks": {
            "system": [
                {"type": "text", "text": "A."},
                {"type": "text", "text": "B.", "cache_control": kept},
            ],
            "messages": [HI],
        },
        "turns": {"messages": [HI, _says("assistant", "Yes?"), _says("user", "Go on")]},
        "picture as data": block({"type": "base64", "media_type": "image/png", "data": PNG}),
        "picture by url": block({"type": "url", "url": "https://example.com/a.png"}),
        "tools": tools,
        "parallel calls": {
            **tools,
            "messages": [
                HI,
                _says("assistant", [{"type": "text", "text": "I look."}, use(1), use(2)]),
                _says("user", [result(1, "4 degrees"), result(2, "5 degrees")]),
            ],
        },
        "result and text": {
            **tools,
            "messages": [
                HI,
                _says("assistant", [use(1)]),
                _says("user", [result(1, "4 degrees"), {"type": "text", "text": "And?"}]),
            ],
        },
        "failed result": {
            **tools,
            "messages": [
                HI,
                _says("assistant", [use(1)]),
                _says("user", [result(1, "no network", is_error=True)]),
            ],
        },
        "picture in a result": {
            **tools,
            "messages": [
                HI,
                _says("assistant", [use(1)]),
                _says("user", [result(1, pictured)]),
            ],
        },
        "thought in history": {
            **tools,
            "max_tokens": 9000,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "messages": [
                HI,
                _says("assistant", [thought, use(1)]),
                _says("user", [result(1, "4 degrees")]),
            ],
        },
        "choice any": {**tools, "tool_choice": {"type": "any"}},
        "choice named": {**tools, "tool_choice": {"type": "tool", "name": "weather"}},
        "choice none": {**tools, "tool_choice": {"type": "none"}},
        "one call at a time": {
            **tools,
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
        "stops": {"messages": [HI], "stop_sequences": ["A", "B"]},
        "sampling": {"messages": [HI], "temperature": 0.5, "top_p": 0.9, "top_k": 40},
        "thinking": {
            "messages": [HI],
            "max_tokens": 9000,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
        },
        "json schema": {
            "messages": [HI],
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
        "user": {"messages": [HI], "metadata": {"user_id": "u-1"}},
    }
    return {name: {"max_tokens": 77, **body} for name, body in cases.items()}


def _gemini() -> dict[str, dict[str, Any]]:
    def user(*parts: dict[str, Any]) -> dict[str, Any]:
        return {"role": "user", "parts": list(parts)}

    def model(*parts: dict[str, Any]) -> dict[str, Any]:
        return {"role": "model", "parts": list(parts)}

    hi = user({"text": "Hi"})
    declared = {"name": "weather", "description": "Tells it.", "parametersJsonSchema": SCHEMA}
    tools = {"contents": [hi], "tools": [{"functionDeclarations": [declared]}]}
    call = {"functionCall": {"name": "weather", "args": ARGUMENTS}}
    result = {"functionResponse": {"name": "weather", "response": {"result": "4 degrees"}}}

    def config(**fields: Any) -> dict[str, Any]:
        return {"contents": [hi], "generationConfig": fields}

    def choice(**fields: Any) -> dict[str, Any]:
        return {**tools, "toolConfig": {"functionCallingConfig": fields}}

    return {
        "text": {"contents": [hi]},
        "system": {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [hi]},
        "turns": {"contents": [hi, model({"text": "Yes?"}), user({"text": "Go on"})]},
        "picture as data": {
            "contents": [
                user({"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": PNG}})
            ]
        },
        "tools": tools,
        "call and result": {**tools, "contents": [hi, model(call), user(result)]},
        "parallel calls": {
            **tools,
            "contents": [hi, model(call, call), user(result, result)],
        },
        "choice any": choice(mode="ANY"),
        "choice named": choice(mode="ANY", allowedFunctionNames=["weather"]),
        "choice none": choice(mode="NONE"),
        "json mode": config(responseMimeType="application/json"),
        "json schema": config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
        "limit": config(maxOutputTokens=77),
        "stops": config(stopSequences=["A", "B"]),
        "sampling": config(temperature=0.5, topP=0.9, topK=40),
        "penalties": config(presencePenalty=0.5, frequencyPenalty=0.25),
        "seed": config(seed=7),
        "two answers": config(candidateCount=2),
        "thinking": config(thinkingConfig={"thinkingBudget": 2000}, maxOutputTokens=9000),
    }


def _responses() -> dict[str, dict[str, Any]]:
    tool = {
        "type": "function",
        "name": "weather",
        "description": "Tells it.",
        "parameters": SCHEMA,
        "strict": True,
    }
    tools = {"input": "Hi", "tools": [tool]}

    def call(number: int) -> dict[str, Any]:
        return {
            "type": "function_call",
            "call_id": f"call_{number}",
            "name": "weather",
            "arguments": '{"city": "Zürich"}',
        }

    def output(number: int, text: str) -> dict[str, Any]:
        return {"type": "function_call_output", "call_id": f"call_{number}", "output": text}

    schema = {"type": "json_schema", "name": "place", "strict": True, "schema": SCHEMA}
    said = {"type": "message", "role": "assistant"}
    said["content"] = [{"type": "output_text", "text": "Yes?", "annotations": []}]
    return {
        "text": {"input": "Hi"},
        "instructions": {"instructions": "Be brief.", "input": "Hi"},
        "developer": {"input": [_says("developer", "Be brief."), HI]},
        "turns": {"input": [HI, said, _says("user", "Go on")]},
        "picture as data": {
            "input": [
                _says(
                    "user",
                    [
                        {"type": "input_text", "text": "Look"},
                        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                    ],
                )
            ]
        },
        "tools": tools,
        "parallel calls": {
            **tools,
            "input": [HI, call(1), call(2), output(1, "4 degrees"), output(2, "5 degrees")],
        },
        "choice required": {**tools, "tool_choice": "required"},
        "choice named": {**tools, "tool_choice": {"type": "function", "name": "weather"}},
        "one call at a time": {**tools, "parallel_tool_calls": False},
        "json schema": {"input": "Hi", "text": {"format": schema}},
        "json mode": {"input": "Hi", "text": {"format": {"type": "json_object"}}},
        "limit": {"input": "Hi", "max_output_tokens": 77},
        "sampling": {"input": "Hi", "temperature": 0.5, "top_p": 0.9},
        "effort": {"input": "Hi", "max_output_tokens": 9000, "reasoning": {"effort": "low"}},
    }


REQUESTS: Final[Mapping[str, Mapping[str, dict[str, Any]]]] = MappingProxyType(
    {
        "openai": _openai(),
        "anthropic": _anthropic(),
        "gemini": _gemini(),
        "responses": _responses(),
    }
)
"""By the client's dialect, without model and stream."""
