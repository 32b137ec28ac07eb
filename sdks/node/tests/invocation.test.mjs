// Recording calls: what enters the record, and that recording never throws.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { Invocation, Loader } from 'promptops';

import { INTENT, ownFolder, recorded, reply, warningsOf, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

let loader;
let prompt;
beforeEach(() => {
  writeSources();
  loader = new Loader({ lock: 'promptops.lock', invocations: 'calls.jsonl' });
  prompt = loader.loadPrompt(INTENT);
});

function hashOf(messages) {
  // RFC 8785 JSON of role and text of each message.
  const text = JSON.stringify(messages.map(({ role, content }) => [role, content]));
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

test('a call is one record', async () => {
  const parent = randomUUID();
  const traceId = `${'0'.repeat(31)}1`;
  let messages;
  const id = await prompt.call(
    async (call) => {
      assert.ok(call instanceof Invocation);
      prompt.messages({ message: 'first' });
      await turn();
      messages = prompt.messages({ message: 'Where is my invoice?' });
      call.recordFirstToken();
      assert.equal(call.record(reply('openai chat'), { costUsd: 0.002 }), true);
      call.score('kindness', 0.5);
      assert.deepEqual([call.label, call.valid, call.requestId, call.prompt], ['billing', true, 'chatcmpl-1', prompt]);
      return call.id;
    },
    { session: 's', agent: 'a', stratum: 'de', parent, traceId, spanId: undefined },
  );
  const [record, ...more] = recorded();
  assert.deepEqual(more, []);
  assert.equal(record.invocation_id, id);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.deepEqual([record.prompt_id, record.prompt_version, record.prompt_digest], [INTENT, 2, prompt.digest]);
  assert.deepEqual([record.requested_model, record.environment], ['claude-3-5-sonnet', 'prod']);
  assert.ok(record.time_to_first_token_ms > 0 && record.time_to_first_token_ms <= record.latency_ms);
  assert.deepEqual([record.session, record.agent, record.stratum], ['s', 'a', 'de']);
  assert.deepEqual([record.parent_invocation, record.trace_id], [parent, traceId]);
  assert.deepEqual([record.cost_usd, record.scores], [0.002, { kindness: 0.5 }]);
  assert.equal(record.input_hash, hashOf(messages), 'of what was rendered last');
  assert.ok(!JSON.stringify(record).includes('Where is my invoice?'));
});

test('a call with try and finally', () => {
  const call = prompt.invocation();
  const messages = call.messages({ message: 'x' });
  try {
    call.record('I think: billing', { label: 'billing', valid: true });
  } finally {
    call.end();
    call.end();
  }
  call.record('technical');
  const records = recorded();
  assert.equal(records.length, 1);
  assert.deepEqual([records[0].label, records[0].valid, records[0].output_length], ['billing', true, 16]);
  assert.equal(records[0].input_hash, hashOf(messages));
  assert.equal(call.label, 'billing', 'what was known stays readable');
});

test('a call with `using`', { skip: Symbol.dispose === undefined && 'this Node has no Symbol.dispose' }, () => {
  const call = prompt.invocation();
  call.recordText('technical');
  call[Symbol.dispose]();
  assert.equal(recorded()[0].label, 'technical');
});

test('errors are recorded and thrown on', async () => {
  class APIConnectionTimeoutError extends Error {}
  const throttled = Object.assign(new Error('slow down'), { name: 'ThrottlingException' });
  const refused = new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) });
  const mute = new Proxy({}, { get() { throw new Error('no'); } });
  const aborted = AbortSignal.abort().reason;
  for (const error of [new APIConnectionTimeoutError(), throttled, refused, aborted, new TypeError(), new Error('x'), 'text', undefined]) {
    await assert.rejects(prompt.call(() => { throw error; }), (thrown) => thrown === error);
  }
  // `assert.rejects` would look into it.
  await prompt.call(() => { throw mute; }).then(() => assert.fail(), () => {});
  await assert.rejects(prompt.call(async (call) => {
    call.record('billing');
    throw new Error('afterwards');
  }));
  await prompt.call(() => {});
  await prompt.call((call) => call.recordError('rate_limit'));
  await prompt.call((call) => call.recordError(throttled));
  const ends = recorded().map((record) => record.error_type ?? record.status);
  assert.deepEqual(ends, [
    'timeout', 'rate_limit', 'connection', 'cancelled', 'type_error', 'error', 'string', 'undefined', 'error',
    'ok', 'unfinished', 'rate_limit', 'rate_limit',
  ]);
});

test('calls at the same time do not mix their inputs', async () => {
  const one = (message) => prompt.call(async (call) => {
    await turn();
    prompt.messages({ message });
    await turn();
    call.record('billing');
  }, { session: message });
  await Promise.all([one('a'), one('b'), one('a')]);
  const pairs = new Set(recorded().map((record) => `${record.session} ${record.input_hash}`));
  assert.equal(pairs.size, 2);
});

test('calls inside of calls belong to themselves, and the text of another prompt is no input', async () => {
  const tone = loader.loadPrompt('shared.tone');
  await prompt.call(async (outer) => {
    await tone.call(async (inner) => {
      tone.render();
      inner.recordText('ok');
    }, { parent: outer.id });
    tone.render();
    outer.record('billing');
  });
  prompt.messages({ message: 'outside' });
  const [inner, outer] = recorded();
  assert.equal(inner.parent_invocation, outer.invocation_id);
  assert.ok(inner.input_hash !== undefined && outer.input_hash === undefined);
});

test('whatever is recorded, nothing is thrown', async () => {
  const endless = {};
  endless.again = [endless];
  const mute = { get choices() { throw new Error('no'); } };
  const odd = [undefined, null, 3, 3n, Symbol('s'), () => 1, [], {}, new Map(), new Uint8Array(4), NaN, endless, mute, '\ud800'];
  const said = await warningsOf(() => {
    for (const one of odd) {
      const call = prompt.invocation({ parent: 'no id', session: Symbol('s'), agent: 7 });
      assert.equal(call.record(one, { label: 3, valid: 'yes', costUsd: '1' }), typeof one === 'string');
      call.record(one, null);
      call.recordText(one);
      call.score('x', one);
      call.score(one, NaN);
      call.end();
    }
  });
  assert.equal(said.length, 1);
  assert.match(said[0], /no known shape/);
  const records = recorded();
  assert.equal(records.length, odd.length);
  assert.ok(records.every((record) => record.status === 'ok' && record.agent === '7' && record.parent_invocation === undefined));
});

test('metrics on standard output', () => {
  const script = `
    const { Loader } = require('promptops');
    const loader = new Loader({ lock: 'promptops.lock', emf: true, service: 'router', environment: 'staging' });
    loader.loadPrompt('${INTENT}').call((call) => { call.record(${JSON.stringify(reply('openai chat'))}); });
  `;
  const home = new URL('..', import.meta.url);
  const cwd = process.cwd();
  const output = execFileSync(process.execPath, ['-e', `process.chdir(${JSON.stringify(cwd)});${script}`], { cwd: home, encoding: 'utf8' });
  const event = JSON.parse(output);
  assert.equal(event._aws.CloudWatchMetrics[0].Namespace, 'PromptOps');
  assert.deepEqual([event.prompt_id, event.environment, event.service, event.InputTokens], [INTENT, 'staging', 'router', 120]);
});

test('a call that is let go is recorded at the latest when the process ends', () => {
  const script = `
    const { Loader } = require('promptops');
    process.chdir(${JSON.stringify(process.cwd())});
    new Loader({ lock: 'promptops.lock', invocations: 'let-go.jsonl' }).loadPrompt('${INTENT}').invocation().record('technical');
    process.stdout.write(require('fs').readFileSync('let-go.jsonl', 'utf8'));
  `;
  const before = execFileSync(process.execPath, ['-e', script], { cwd: new URL('..', import.meta.url), encoding: 'utf8' });
  assert.equal(before, '');
  assert.match(execFileSync('cat', ['let-go.jsonl'], { encoding: 'utf8' }), /"label":"technical"/);
});

test('a full disk is counted', { skip: !existsSync('/dev/full') && 'needs /dev/full' }, () => {
  const full = new Loader({ lock: 'promptops.lock', invocations: '/dev/full' });
  const call = full.loadPrompt(INTENT).invocation();
  call.record('billing');
  call.end();
  full.flush();
  assert.equal(full.dropped, 1);
});
