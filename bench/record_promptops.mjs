// Records invocations with the Node SDK, and writes the time of one as JSON into the file that is named.

import { writeFileSync } from 'node:fs';

import { loadPrompt } from '../sdks/node/index.mjs';
import { nanosecondsPerCall } from './timing.mjs';

const reply = {
  id: 'chatcmpl-1', object: 'chat.completion', created: 1_790_000_000, model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Your refund is on its way [1].' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 640, completion_tokens: 12, total_tokens: 652, prompt_tokens_details: { cached_tokens: 512 } },
};
const prompt = loadPrompt('bench.reply');
const record = () => {
  const call = prompt.invocation();
  call.record(reply);
  call.end();
};
writeFileSync(process.argv[2], JSON.stringify({ record_ns: nanosecondsPerCall(record) }));
