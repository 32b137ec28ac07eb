// Rollouts: who gets which of two versions, against a computation of its own.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';

import { Loader } from 'promptops';

import { bucket, Registry } from './releases.mjs';
import { ownFolder, recorded, vectors, warningsOf } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

const ID = 'support.reply';

function loader(id, candidate, buckets, settings = {}) {
  const registry = new Registry();
  const rollout = { ...registry.publish(id, candidate), buckets };
  registry.lock({ [id]: { ...registry.publish(id, candidate - 1), rollout } });
  return new Loader({ lock: 'promptops.lock', ...settings });
}

test('the vectors', () => {
  const home = process.cwd();
  const loaders = new Map();
  for (const one of vectors('rollout.json').assignments) {
    const name = `${one.id} ${one.candidate} ${one.buckets}`;
    if (!loaders.has(name)) {
      mkdirSync(name);
      process.chdir(name);
      loaders.set(name, loader(one.id, one.candidate, one.buckets));
      process.chdir(home);
    }
    const prompt = loaders.get(name).loadPrompt(one.id, { key: one.key });
    const version = one.arm === 'candidate' ? one.candidate : one.candidate - 1;
    assert.deepEqual([prompt.arm, prompt.version], [one.arm, version], JSON.stringify(one));
    assert.equal(loaders.get(name).loadPrompt(one.id, { key: one.key }), prompt, 'the same object');
  }
});

test('a hundred thousand keys', () => {
  const expected = vectors('rollout.json').counts.find((one) => one.buckets === 1000).candidates;
  const source = loader(ID, 3, 1000);
  let candidates = 0;
  for (let number = 0; number < 100_000; number += 1) {
    candidates += source.loadPrompt(ID, { key: `user-${number}` }).version === 3;
  }
  assert.equal(candidates, expected);
});

test('records say the side, and a missing key is said once', async () => {
  const source = loader(ID, 3, 5000, { invocations: 'calls.jsonl' });
  const keys = ['user-1', 42, 12345678901234567890n, undefined, ''];
  const said = await warningsOf(async () => {
    for (const key of keys) {
      const prompt = await source.loadPromptAsync(ID, { key });
      await prompt.call((call) => call.record('ok'));
    }
  });
  assert.deepEqual(said, [`a prompt under a rollout is loaded without a key, so the control is used: \`${ID}\``]);
  const arms = keys.map((key) => (key ? (bucket(ID, 3, key) < 5000 ? 'candidate' : 'control') : 'unkeyed'));
  assert.deepEqual(recorded().map((record) => record.arm), arms);
  assert.deepEqual(recorded().map((record) => record.prompt_version), arms.map((arm) => (arm === 'candidate' ? 3 : 2)));
  const byNumber = source.loadPrompt(ID, { version: 3, key: 'user-1' });
  assert.deepEqual([byNumber.version, byNumber.arm], [3, null]);
});

test('what is no key is refused', () => {
  const source = loader(ID, 3, 5000);
  for (const key of [1.5, true, {}, ['user-1'], NaN]) {
    assert.throws(() => source.loadPrompt(ID, { key }), /^TypeError: the key of a rollout is a string or a whole number, not /);
  }
});
