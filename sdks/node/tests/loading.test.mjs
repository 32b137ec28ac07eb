// `loadPrompt` as a service uses it: settings, what a prompt is, what goes wrong.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import * as promptops from 'promptops';
import { configure, Loader, loadPrompt, loadPromptAsync } from 'promptops';

import { INTENT, ownFolder, vectors, warningsOf, writeFiles, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });
beforeEach(() => writeSources());

test('a folder `prompts` and nothing else: the prompt loads by its name', async () => {
  rmSync('promptops.lock');
  const said = await warningsOf(() => {
    configure();
    const prompt = loadPrompt(INTENT);
    assert.equal(prompt.owner, 'data-platform-team');
    assert.ok(prompt.template.startsWith('You are a customer support intent classifier.'));
    assert.deepEqual(prompt.metrics, { baseline_accuracy: 0.94, cost_per_call_usd: 0.003 });
    loadPrompt('shared.tone');
  });
  assert.equal(said.length, 1, 'said once');
  assert.match(said[0], /development only/);
});

test('a file that changes is read again', async () => {
  const loader = new Loader({ prompts: 'prompts' });
  const before = loader.loadPrompt('shared.tone');
  assert.equal(loader.loadPrompt('shared.tone'), before);
  writeFiles('prompts', { 'shared/tone.yaml': 'id: shared.tone\nversion: 4\nowner: o\nmodel: m\ntags: []\ntemplate: Be brief.\n' });
  const after = loader.loadPrompt('shared.tone');
  assert.deepEqual([before.version, after.version, after.render()], [3, 4, 'Be brief.']);
});

test('the environment names the source, and what is given wins over it', () => {
  process.env.PROMPTOPS_BUNDLE = 'app.bundle';
  configure();
  assert.equal(loadPrompt(INTENT).purpose, 'Route a support message to a team');
  process.env.PROMPTOPS_BUNDLE = 'nowhere.bundle';
  configure({ lock: pathToFileURL('promptops.lock') });
  assert.equal(loadPrompt(INTENT).version, 2);
});

test('a prompt is frozen, and the same however it was asked for', async () => {
  configure({ lock: 'promptops.lock' });
  const prompt = loadPrompt(INTENT);
  assert.throws(() => { prompt.model = 'other'; }, TypeError);
  assert.throws(() => { prompt.more = 1; }, TypeError);
  assert.throws(() => prompt.tags.push('x'), TypeError);
  assert.throws(() => { prompt.output.enum[0] = 'x'; }, TypeError);
  assert.deepEqual(prompt.parameters, { temperature: 0, max_tokens: 16 });
  assert.deepEqual(prompt.inputs, { message: { type: 'string' } });
  assert.deepEqual([prompt.output, prompt.tools], [{ enum: ['billing', 'technical'] }, null]);
  assert.equal(loadPrompt(INTENT, { version: 2 }), prompt);
  assert.equal(await loadPromptAsync(INTENT), prompt);
  const [other] = [new Loader({ bundle: 'app.bundle' }).loadPrompt(INTENT)];
  assert.ok(other !== prompt && prompt.equals(other) && !prompt.equals(loadPrompt('shared.tone')) && !prompt.equals(null));
  assert.equal(String(prompt), `<Prompt ${INTENT}@2 ${prompt.digest}>`);
  assert.match(inspect(prompt), /^Prompt {\n {2}id: 'customer-support.intent-classifier',/);
  assert.equal(JSON.parse(JSON.stringify(prompt)).digest, prompt.digest);
  assert.throws(() => new promptops.Prompt(), /loadPrompt/);
});

test('errors have classes, codes and hints', () => {
  configure({ lock: 'promptops.lock' });
  assert.throws(() => loadPrompt('intent-clasifier'), (error) => {
    assert.ok(error instanceof promptops.PromptNotFoundError && error instanceof promptops.PromptOpsError && error instanceof Error);
    assert.deepEqual([error.name, error.code], ['PromptNotFoundError', 'not-found']);
    assert.equal(error.message, `the lock has no prompt \`intent-clasifier\`\nhint: did you mean \`${INTENT}\`?`);
    assert.match(error.stack, /^PromptNotFoundError: the lock[^]*loading\.test\.mjs/);
    return true;
  });
  assert.throws(() => loadPrompt(INTENT, { version: 1 }), promptops.NotPinnedError);
  assert.throws(() => configure({ lock: 'nowhere.lock' }), { name: 'ConfigurationError', code: 'invalid-setting' });
  assert.equal(loadPrompt(INTENT).version, 2, 'a failed configure changes nothing');
});

test('mistakes of the call are no errors of prompts', () => {
  configure({ lock: 'promptops.lock' });
  for (const version of [-1, 1.5, NaN, 2 ** 32]) assert.throws(() => loadPrompt(INTENT, { version }), RangeError);
  assert.throws(() => loadPrompt(INTENT, { version: '2' }), TypeError);
  assert.throws(() => loadPrompt(INTENT, 2), /`{ version }`/);
  assert.throws(() => loadPrompt(undefined), /string, not undefined/);
  assert.throws(() => new Loader({ lok: 'promptops.lock' }), /no setting `lok`; there are bundle, lock/);
  assert.throws(() => new Loader({ lock: 3 }), /`lock` is a string, not number/);
  assert.throws(() => new Loader({ lock: 'promptops.lock', strict: 'yes' }), /`strict` is true or false, not string/);
});

test('without a source', () => {
  mkdirSync('empty');
  process.chdir('empty');
  assert.throws(() => configure(), (error) => error instanceof promptops.ConfigurationError && /PROMPTOPS_LOCK/.test(error.hint));
});

test('a remote registry is read beside the event loop, and an outage is not felt after that', async () => {
  // The bucket is served by this very thread: were its event loop stopped, the load would never end.
  const data = vectors('load.json');
  const asked = [];
  const server = createServer((request, response) => {
    const key = decodeURIComponent(request.url).replace('/prompts-bucket/team/', '');
    asked.push(key);
    const text = data.registry[key];
    if (text === undefined) {
      response.writeHead(404, { 'content-type': 'application/xml' }).end('<Error><Code>NoSuchKey</Code></Error>');
      return;
    }
    response.writeHead(200, { etag: '"1"', 'last-modified': new Date(0).toUTCString(), 'content-length': Buffer.byteLength(text) }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`,
      AWS_ALLOW_HTTP: 'true',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
    });
    writeFileSync('promptops.lock', JSON.stringify({ ...data.lock, registry: 's3://prompts-bucket/team' }));
    const loader = new Loader({ lock: 'promptops.lock', cache: 'cache' });
    const prompt = await loader.loadPromptAsync(INTENT);
    assert.equal(prompt.version, 2);
    assert.ok(asked.length > 0);
    assert.equal(loader.loadPrompt(INTENT), prompt);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  assert.equal(new Loader({ lock: 'promptops.lock', cache: 'cache' }).loadPrompt(INTENT).version, 2);
  const cold = new Loader({ lock: 'promptops.lock', cache: 'other' });
  await assert.rejects(cold.loadPromptAsync(INTENT), (error) => {
    assert.ok(error instanceof promptops.RegistryUnavailableError);
    assert.match(error.hint, /bundle/);
    return true;
  });
});

test('where records cannot be written, that is a warning', async () => {
  writeFileSync('file', '');
  for (const open of [(settings) => new Loader(settings), (settings) => configure(settings)]) {
    const said = await warningsOf(() => open({ lock: 'promptops.lock', invocations: 'file/calls.jsonl' }));
    assert.equal(said.length, 1);
    assert.match(said[0], /cannot be recorded/);
  }
});

test('many loads at once give one prompt', async () => {
  const loader = new Loader({ lock: 'promptops.lock' });
  const prompts = await Promise.all(Array.from({ length: 20 }, (_, index) => loader.loadPromptAsync(INTENT, index % 2 ? { version: 2 } : {})));
  assert.equal(new Set(prompts).size, 1);
});
