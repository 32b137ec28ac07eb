// Worker threads share the loader of the process; each has objects of its own.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { configure, loadPrompt } from 'promptops';

import { INTENT, ownFolder, recorded, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

const WORK = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { loadPrompt, loadPromptAsync } = require(workerData.promptops);
  (async () => {
    const found = [];
    for (let number = 0; number < 200; number += 1) {
      const options = number % 2 ? { version: 2 } : {};
      const prompt = number % 3 ? loadPrompt(workerData.id, options) : await loadPromptAsync(workerData.id, options);
      await prompt.call((call) => {
        found.push(prompt.messages({ message: String(number) })[1].content);
        call.record('billing');
      });
    }
    let code;
    try { loadPrompt('nothing.of-this-name'); } catch (error) { code = error.code; }
    parentPort.postMessage({ found, code });
  })();
`;

function inWorker(end = () => {}) {
  const workerData = { promptops: new URL('../index.js', import.meta.url).pathname, id: INTENT };
  const worker = new Worker(WORK, { eval: true, workerData });
  return new Promise((resolve, reject) => {
    let message;
    worker.on('message', (heard) => { message = heard; });
    worker.on('error', reject);
    worker.on('exit', () => resolve(message));
    end(worker);
  });
}

test('threads load, render and record at the same time', async () => {
  writeSources();
  configure({ lock: 'promptops.lock', invocations: 'calls.jsonl' });
  const heard = await Promise.all(Array.from({ length: 4 }, () => inWorker()));
  const expected = Array.from({ length: 200 }, (_, number) => String(number));
  for (const { found, code } of heard) {
    assert.deepEqual(found, expected);
    assert.equal(code, 'not-found');
  }
  assert.equal(recorded().length, 800);
  assert.equal(loadPrompt(INTENT).version, 2, 'this thread goes on');
});

test('a thread that is ended in the middle takes nothing with it', async () => {
  writeSources();
  configure({ lock: 'promptops.lock' });
  for (let round = 0; round < 5; round += 1) {
    await inWorker((worker) => setTimeout(() => worker.terminate(), round * 10));
  }
  assert.equal(loadPrompt(INTENT).messages({ message: 'x' })[1].content, 'x');
});
