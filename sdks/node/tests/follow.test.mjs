// Following an environment, and the errors of faults.

import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { configure, Loader, loadPrompt, refresh } from 'promptops';

import { Registry } from './releases.mjs';
import { ownFolder, warningsOf, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

const ID = 'support.reply';
const FOLLOW = { registry: 'file://registry', follow: 'prod' };
let registry;
let pins;

beforeEach(() => {
  registry = new Registry();
  const inputs = { name: { type: 'string' } };
  pins = [1, 2, 3].map((version) => registry.publish(ID, version, { template: `${version}: {{ name }}`, inputs }));
  live(1);
});

function live(version) {
  return registry.release({ [ID]: pins[version - 1] });
}

/** Waits, for a while, until something is so. */
async function until(isSo) {
  const begun = Date.now();
  while (!isSo()) {
    assert.ok(Date.now() - begun < 20_000);
    await setTimeout(2);
  }
}

test('a release is used without a load that waits, and what was loaded stays what it was', async () => {
  const loader = new Loader({ ...FOLLOW, refreshSeconds: 0.05 });
  assert.deepEqual([loader.environment, loader.release], [null, null]);
  const first = loader.loadPrompt(ID);
  assert.equal(loader.loadPrompt(ID), first, 'the same object');
  assert.deepEqual([first.version, loader.environment, loader.release], [1, 'prod', 1]);
  live(2);
  await until(() => loader.loadPrompt(ID).version === 2);
  assert.deepEqual([first.version, first.render({ name: 'x' }), loader.loadPrompt(ID).render({ name: 'x' })], [1, '1: x', '2: x']);
  live(3);
  await loader.refresh();
  assert.deepEqual([loader.loadPrompt(ID).version, loader.release, await loader.refresh()], [3, 3, false]);
});

test('the environment of the process says it', async () => {
  Object.assign(process.env, { PROMPTOPS_REGISTRY: 'file://registry', PROMPTOPS_FOLLOW: 'prod' });
  configure();
  assert.equal(loadPrompt(ID).version, 1);
  live(2);
  assert.deepEqual([loadPrompt(ID).version, await refresh(), loadPrompt(ID).version], [1, true, 2]);
  assert.throws(() => new Loader({ ...FOLLOW, refreshSeconds: -1 }), /RangeError: the setting `refreshSeconds` is a number of seconds: -1/);
  assert.throws(() => new Loader({ ...FOLLOW, follow: 'staging' }).loadPrompt(ID), { name: 'ConfigurationError', code: 'invalid-setting' });
});

test('many releases, loads on both threads', async () => {
  const loader = new Loader({ ...FOLLOW, refreshSeconds: 0.001 });
  let last = 0;
  for (let number = 0; number < 30; number += 1) {
    const release = live(1 + (number % 3));
    while (loader.release !== release) {
      const loaded = await Promise.all([loader.loadPromptAsync(ID), loader.loadPrompt(ID)]);
      assert.ok(loaded.every((prompt) => [1, 2, 3].includes(prompt.version)));
      assert.ok(loader.release >= last, `${loader.release} after ${last}`);
      last = loader.release;
    }
  }
});

test('an outage is a warning, and an error only where that is wanted', async () => {
  const [served, refusing] = [false, true].map((refuseStale) => new Loader({ ...FOLLOW, refreshSeconds: 0, maxStaleSeconds: 0, refuseStale }));
  assert.deepEqual([served.loadPrompt(ID).version, refusing.loadPrompt(ID).version], [1, 1]);
  renameSync('registry', 'away');
  const said = await warningsOf(() => {
    assert.equal(served.loadPrompt(ID).version, 1);
    assert.throws(() => refusing.loadPrompt(ID), { name: 'RegistryUnavailableError', code: 'stale' });
  });
  assert.ok(said.some((warning) => /so release 1 is used on/.test(warning)), said.join());
  await assert.rejects(served.refresh(), { name: 'RegistryUnavailableError', code: 'unavailable' });
  renameSync('away', 'registry');
  live(2);
  assert.equal(await served.refresh(), true);
});

test('a registry that is down, and one that answers with other bytes', async () => {
  const down = createServer((_, response) => response.writeHead(503).end());
  await new Promise((resolve) => down.listen(0, '127.0.0.1', resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${down.address().port}`,
    AWS_ALLOW_HTTP: 'true',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
  });
  try {
    const loader = new Loader({ registry: 's3://prompts', follow: 'prod' });
    await assert.rejects(loader.loadPromptAsync(ID), { name: 'RegistryUnavailableError', code: 'unavailable' });
  } finally {
    down.closeAllConnections();
    await new Promise((resolve) => down.close(resolve));
  }
  const record = 'registry/prompts/support.reply/0000000001.json';
  writeFileSync(record, readFileSync(record, 'utf8').replace('"o"', '"p"'));
  assert.throws(() => new Loader(FOLLOW).loadPrompt(ID), { name: 'IntegrityError', code: 'integrity' });
});

test('a bundle with any damage is an error of a known type, or loads what was bundled', () => {
  writeSources();
  const id = 'customer-support.intent-classifier';
  const intact = readFileSync('app.bundle');
  const expected = new Loader({ bundle: 'app.bundle' }).loadPrompt(id);
  const codes = new Set();
  const damaged = [];
  for (let place = 0; place < intact.length; place += 13) {
    damaged.push(intact.subarray(0, place));
    const flipped = Buffer.from(intact);
    flipped[place] ^= 0x55;
    damaged.push(flipped);
  }
  for (const bytes of damaged) {
    writeFileSync('app.bundle', bytes);
    try {
      assert.ok(new Loader({ bundle: 'app.bundle' }).loadPrompt(id).equals(expected));
    } catch (error) {
      assert.ok(['ConfigurationError', 'IntegrityError', 'PromptNotFoundError'].includes(error.name), error);
      codes.add(error.code);
    }
  }
  assert.ok(codes.has('invalid-setting') && codes.has('corrupt'), [...codes].join());
});

test('values that do not fit', () => {
  const prompt = new Loader(FOLLOW).loadPrompt(ID);
  for (const [values, message] of [
    [{}, /required variables are missing: `name`/],
    [{ name: 3 }, /`name`/],
    [{ name: null }, /`name`/],
    [{ name: 'x', nmae: 'x' }, /`nmae`/],
  ]) {
    assert.throws(() => prompt.render(values), (error) => error.name === 'RenderError' && error.code === 'render' && message.test(error.message));
  }
});

test('strict forbids a folder', () => {
  writeSources();
  for (const settings of [{ prompts: 'prompts', strict: true }, { prompts: 'prompts' }]) {
    process.env.PROMPTOPS_STRICT = '1';
    assert.throws(() => new Loader(settings).loadPrompt('shared.tone'), { name: 'NotPinnedError', code: 'not-pinned' });
  }
});
