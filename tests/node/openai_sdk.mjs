// OpenAI's own client: chat and responses.
import OpenAI from "openai";

const STOPS = { stop: "end", length: "length", tool_calls: "tool", content_filter: "filter" };

function clientOf(door) {
  const base = door.url === null ? {} : { baseURL: `${door.url}/v1` };
  return new OpenAI({ ...base, apiKey: door.key, maxRetries: door.retries });
}

function chatMessages(turn) {
  if (turn.calls !== undefined) {
    const made = turn.calls.map(([id, name, args]) => ({
      id,
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    }));
    const calls = made.length ? { tool_calls: made } : {};
    return [{ role: "assistant", content: turn.text || null, ...calls }];
  }
  if (turn.results !== undefined)
    return turn.results.map(([id, , text]) => ({ role: "tool", tool_call_id: id, content: text }));
  return [{ role: "user", content: turn.text }];
}

export async function chat(door, model, ask, stream) {
  const messages = ask.turns.flatMap(chatMessages);
  if (ask.system !== null) messages.unshift({ role: "system", content: ask.system });
  const body = { model, messages, max_tokens: ask.max_tokens };
  if (ask.tools)
    body.tools = [
      { type: "function", function: { name: ask.tool.name, parameters: ask.tool.schema } },
    ];
  if (ask.schema !== null)
    body.response_format = {
      type: "json_schema",
      json_schema: { name: "answer", schema: ask.schema, strict: true },
    };
  const client = clientOf(door);
  let answer;
  let pieces = 0;
  let thought = "";
  if (stream) {
    const events = client.chat.completions.stream({
      ...body,
      stream_options: { include_usage: true },
    });
    events.on("chunk", ({ choices }) => {
      pieces += 1;
      thought += choices[0]?.delta.reasoning_content ?? "";
    });
    answer = await events.finalChatCompletion();
  } else {
    answer = await client.chat.completions.create(body);
    thought = answer.choices[0].message.reasoning_content ?? "";
  }
  const { message, finish_reason: stop } = answer.choices[0];
  return {
    text: message.content ?? "",
    thought,
    calls: (message.tool_calls ?? []).map(({ function: f }) => [f.name, JSON.parse(f.arguments)]),
    stop: STOPS[stop],
    prompt: answer.usage.prompt_tokens,
    completion: answer.usage.completion_tokens,
    cached: answer.usage.prompt_tokens_details?.cached_tokens ?? null,
    energy: answer.usage.energy ?? null,
    pieces,
  };
}

function items(turn) {
  if (turn.calls !== undefined) {
    const said = turn.text ? [{ role: "assistant", content: turn.text }] : [];
    const made = turn.calls.map(([id, name, args]) => ({
      type: "function_call",
      call_id: id,
      name,
      arguments: JSON.stringify(args),
    }));
    return [...said, ...made];
  }
  if (turn.results !== undefined)
    return turn.results.map(([id, , output]) => ({
      type: "function_call_output",
      call_id: id,
      output,
    }));
  return [{ role: "user", content: turn.text }];
}

export async function responses(door, model, ask, stream) {
  const body = {
    model,
    input: ask.turns.flatMap(items),
    max_output_tokens: ask.max_tokens,
    store: false,
  };
  if (ask.system !== null) body.instructions = ask.system;
  if (ask.tools)
    body.tools = [
      { type: "function", name: ask.tool.name, parameters: ask.tool.schema, strict: false },
    ];
  if (ask.schema !== null)
    body.text = {
      format: { type: "json_schema", name: "answer", schema: ask.schema, strict: true },
    };
  const client = clientOf(door);
  let answer;
  let pieces = 0;
  if (stream) {
    const events = client.responses.stream(body);
    for await (const _ of events) pieces += 1;
    answer = await events.finalResponse();
  } else answer = await client.responses.create(body);
  const of = (type) => answer.output.filter((item) => item.type === type);
  const calls = of("function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
  const whole = answer.status === "completed";
  return {
    text: answer.output_text,
    thought: of("reasoning")
      .flatMap((item) => [...item.summary, ...(item.content ?? [])])
      .map((part) => part.text)
      .join(""),
    calls,
    stop: whole ? (calls.length ? "tool" : "end") : "length",
    prompt: answer.usage.input_tokens,
    completion: answer.usage.output_tokens,
    cached: answer.usage.input_tokens_details.cached_tokens,
    energy: answer.usage.energy ?? null,
    pieces,
  };
}
