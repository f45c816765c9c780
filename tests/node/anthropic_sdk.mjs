// Anthropic's own client.
import Anthropic from "@anthropic-ai/sdk";

const STOPS = { end_turn: "end", max_tokens: "length", tool_use: "tool", refusal: "filter" };

function message(turn) {
  if (turn.calls !== undefined) {
    const said = turn.text ? [{ type: "text", text: turn.text }] : [];
    const made = turn.calls.map(([id, name, input]) => ({ type: "tool_use", id, name, input }));
    return { role: "assistant", content: [...said, ...made] };
  }
  if (turn.results !== undefined) {
    const content = turn.results.map(([id, , text]) => ({
      type: "tool_result",
      tool_use_id: id,
      content: text,
    }));
    return { role: "user", content };
  }
  return { role: "user", content: turn.text };
}

export async function messages(door, model, ask, stream) {
  const base = door.url === null ? {} : { baseURL: door.url };
  const client = new Anthropic({ ...base, apiKey: door.key, maxRetries: door.retries });
  const body = { model, messages: ask.turns.map(message), max_tokens: ask.max_tokens };
  if (ask.system !== null) body.system = ask.system;
  if (ask.tools) body.tools = [{ name: ask.tool.name, input_schema: ask.tool.schema }];
  if (ask.schema !== null)
    body.output_config = { format: { type: "json_schema", schema: ask.schema } };
  if (ask.thinks) body.thinking = { type: "enabled", budget_tokens: 2048 };
  let answer;
  let pieces = 0;
  let energy = null;
  if (stream) {
    const events = client.messages.stream(body);
    for await (const event of events) {
      pieces += 1;
      if (event.type === "message_delta") energy = event.usage.energy ?? null;
    }
    answer = await events.finalMessage();
  } else {
    answer = await client.messages.create(body);
    energy = answer.usage.energy ?? null;
  }
  const of = (type) => answer.content.filter((block) => block.type === type);
  const cached = answer.usage.cache_read_input_tokens ?? 0;
  const written = answer.usage.cache_creation_input_tokens ?? 0;
  return {
    text: of("text")
      .map((block) => block.text)
      .join(""),
    thought: of("thinking")
      .map((block) => block.thinking)
      .join(""),
    calls: of("tool_use").map((block) => [block.name, block.input]),
    stop: STOPS[answer.stop_reason],
    prompt: answer.usage.input_tokens + cached + written,
    completion: answer.usage.output_tokens,
    cached,
    energy,
    pieces,
  };
}
