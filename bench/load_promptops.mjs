// Loads and renders the measured prompt with the Node SDK, warm, and prints the times as JSON.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { loadPrompt } from '../sdks/node/index.mjs';
import { nanosecondsPerCall } from './timing.mjs';

const inputs = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const options = { version: 1 };
const prompt = loadPrompt('bench.reply', options);
assert.ok(prompt.render(inputs).includes(inputs.message));
console.log(JSON.stringify({
  load_ns: nanosecondsPerCall(() => loadPrompt('bench.reply', options)),
  render_ns: nanosecondsPerCall(() => prompt.render(inputs), 5_000),
  version: process.versions.node,
}));
