// Reads one question a line, as JSON, and answers each with a line. kit/node.py is the other side.
import { createInterface } from "node:readline";

import * as anthropic from "./anthropic_sdk.mjs";
import * as openai from "./openai_sdk.mjs";
import * as vercel from "./vercel_sdk.mjs";

const SDKS = {
  "openai-chat": openai.chat,
  "openai-responses": openai.responses,
  anthropic: anthropic.messages,
  "ai-openai-chat": vercel.chat,
  "ai-openai-responses": vercel.responses,
  "ai-anthropic": vercel.messages,
  "ai-google": vercel.generate,
};

// What a program sees of an error. Vercel's retries wrap the last one.
function shown(error) {
  const last = error.lastError ?? error;
  return {
    kind: error.constructor.name,
    last: last.constructor.name,
    status: last.status ?? last.statusCode ?? null,
    message: String(last.message),
    code: last.code ?? null,
    type: last.type ?? null,
  };
}

globalThis.AI_SDK_LOG_WARNINGS = false;
for await (const line of createInterface({ input: process.stdin })) {
  const { sdk, door, model, ask, stream } = JSON.parse(line);
  let answer;
  try {
    answer = { heard: await SDKS[sdk](door, model, ask, stream) };
  } catch (error) {
    answer = { error: shown(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
