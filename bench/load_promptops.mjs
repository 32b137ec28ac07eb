// Loads and renders the measured prompt with the Node SDK, warm, and prints the times as JSON.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { loadPrompt } from '../sdks/node/index.mjs';

/** The median over `runs` of the mean time of one call, with the loop around it, after a warm-up; as timing.py. */
function nanosecondsPerCall(call, calls = 20_000, runs = 5) {
  for (let number = 0; number < calls / 10; number += 1) call();
  const times = [];
  for (let run = 0; run < runs; run += 1) {
    const start = process.hrtime.bigint();
    for (let number = 0; number < calls; number += 1) call();
    times.push(Number(process.hrtime.bigint() - start) / calls);
  }
  return times.sort((left, right) => left - right)[Math.floor(runs / 2)];
}

const inputs = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const options = { version: 1 };
const prompt = loadPrompt('bench.reply', options);
assert.ok(prompt.render(inputs).includes(inputs.message));
console.log(JSON.stringify({
  load_ns: nanosecondsPerCall(() => loadPrompt('bench.reply', options)),
  render_ns: nanosecondsPerCall(() => prompt.render(inputs), 5_000),
  version: process.versions.node,
}));
