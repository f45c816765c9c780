// Vercel's `ai`, with its providers for OpenAI (chat and responses), Anthropic and Google.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";

const STOPS = { stop: "end", length: "length", "tool-calls": "tool", "content-filter": "filter" };

const base = (door, path) => (door.url === null ? {} : { baseURL: `${door.url}${path}` });
const openai = (door) => createOpenAI({ ...base(door, "/v1"), apiKey: door.key });
const anthropic = (door) => createAnthropic({ ...base(door, "/v1"), apiKey: door.key });
const google = (door) => createGoogleGenerativeAI({ ...base(door, "/v1beta"), apiKey: door.key });

function turns(turn) {
  if (turn.calls !== undefined) {
    const said = turn.text ? [{ type: "text", text: turn.text }] : [];
    const made = turn.calls.map(([toolCallId, toolName, input]) => ({
      type: "tool-call",
      toolCallId,
      toolName,
      input,
    }));
    return { role: "assistant", content: [...said, ...made] };
  }
  if (turn.results !== undefined) {
    const content = turn.results.map(([toolCallId, toolName, value]) => ({
      type: "tool-result",
      toolCallId,
      toolName,
      output: { type: "text", value },
    }));
    return { role: "tool", content };
  }
  return { role: "user", content: turn.text };
}

async function ask_(model, door, ask, stream, providerOptions) {
  const options = {
    model,
    messages: ask.turns.map(turns),
    maxOutputTokens: ask.max_tokens,
    maxRetries: door.retries,
    providerOptions,
  };
  if (ask.system !== null) options.system = ask.system;
  if (ask.tools)
    options.tools = { [ask.tool.name]: tool({ inputSchema: jsonSchema(ask.tool.schema) }) };
  if (ask.schema !== null) options.output = Output.object({ schema: jsonSchema(ask.schema) });
  let result;
  let pieces = 0;
  let text;
  let energy; // OpenAI's chat keeps only those counts that it knows: the bytes themselves have it
  if (stream) {
    let failed;
    const onError = ({ error }) => (failed ??= error);
    const onChunk = ({ chunk }) => (energy = chunk.rawValue?.usage?.energy ?? energy);
    result = streamText({ ...options, onError, onChunk, include: { rawChunks: true } });
    text = "";
    try {
      for await (const piece of result.textStream) {
        pieces += 1;
        text += piece;
      }
    } catch (error) {
      failed ??= error; // after an error in the stream its end is a second one
    }
    if (failed !== undefined) throw failed;
  } else {
    result = await generateText({ ...options, include: { responseBody: true } });
    text = result.text;
    energy = result.response.body?.usage?.energy;
  }
  const usage = await result.usage;
  return {
    text,
    thought: (await result.reasoningText) ?? "",
    calls: (await result.toolCalls).map((call) => [call.toolName, call.input]),
    stop: STOPS[await result.finishReason],
    prompt: usage.inputTokens ?? null,
    completion: usage.outputTokens ?? null,
    cached: usage.inputTokenDetails.cacheReadTokens ?? null,
    energy: usage.raw?.energy ?? energy ?? null,
    pieces,
  };
}

export const chat = (door, model, ask, stream) =>
  ask_(openai(door).chat(model), door, ask, stream, {});

export const responses = (door, model, ask, stream) =>
  ask_(openai(door).responses(model), door, ask, stream, { openai: { store: false } });

export const messages = (door, model, ask, stream) =>
  ask_(anthropic(door)(model), door, ask, stream, {
    anthropic: { structuredOutputMode: "outputFormat" }, // else by what it knows of a model's name
  });

export const generate = (door, model, ask, stream) =>
  ask_(google(door)(model), door, ask, stream, {});
