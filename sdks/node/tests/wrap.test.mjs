// Clients that record by themselves: the official ones, which talk to a server on this machine; and streams.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import OpenAI from 'openai';
import { currentInvocation, Loader, wrap } from 'promptops';

import { Provider } from './provider.mjs';
import { events, INTENT, ownFolder, recorded, reply, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

const provider = new Provider();
before(() => provider.start());
after(() => provider.stop());

let loader;
let prompt;
beforeEach(() => {
  provider.reset();
  writeSources();
  loader = new Loader({ lock: 'promptops.lock', invocations: 'calls.jsonl' });
  prompt = loader.loadPrompt(INTENT);
});

const CHAT = reply('openai chat');
const { $metadata, ...CONVERSE } = reply("bedrock converse, AWS's client for JavaScript");
const MESSAGES = [{ role: 'user', content: 'x' }];

const newOpenAI = () => new OpenAI({ apiKey: 'key', baseURL: `${provider.urls.http}/v1`, maxRetries: 0 });
const newAnthropic = () => new Anthropic({ apiKey: 'key', baseURL: provider.urls.http, maxRetries: 0 });
const newBedrock = () => new BedrockRuntimeClient({
  endpoint: provider.urls.http2,
  region: 'us-east-1',
  credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  maxAttempts: 1,
});

const chat = (client, more) => client.chat.completions.create({ model: 'gpt', messages: MESSAGES, ...more });
const claude = (client, more) => client.messages.create({ model: 'claude', max_tokens: 16, messages: MESSAGES, ...more });
const QUESTION = { modelId: 'nova', messages: [{ role: 'user', content: [{ text: 'x' }] }] };

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test('a wrapped client is the client', () => {
  for (const client of [newOpenAI(), newAnthropic(), newBedrock()]) {
    const [prototype, keys] = [Object.getPrototypeOf(client), Object.keys(client)];
    assert.equal(wrap(client), client);
    assert.equal(wrap(client), client);
    assert.equal(Object.getPrototypeOf(client), prototype);
    assert.deepEqual(Object.keys(client), keys);
    client.destroy?.();
  }
  for (const other of [{}, null, undefined, 3, new Map(), OpenAI]) {
    assert.throws(() => wrap(other), (error) => error instanceof TypeError && /can be wrapped, not /.test(error.message));
  }
});

test('replies are recorded', async () => {
  const [openai, anthropic, bedrock] = [newOpenAI(), newAnthropic(), newBedrock()].map(wrap);
  provider.answer(CHAT, { headers: { 'x-request-id': 'req_1' } });
  provider.answer(reply('openai responses'));
  provider.answer(reply('anthropic messages: input counts the cache'), { headers: { 'request-id': 'req_2' } });
  provider.answer(CONVERSE, { headers: { 'x-amzn-requestid': '7d1f' } });
  const ids = [];
  for (const ask of [
    async () => assert.equal((await chat(openai)).choices[0].message.content, ' billing\n'),
    () => openai.responses.create({ model: 'gpt', input: 'x' }),
    () => claude(anthropic),
    () => bedrock.send(new ConverseCommand(QUESTION)),
  ]) {
    await prompt.call(async (call) => {
      assert.equal(currentInvocation(), call);
      prompt.messages({ message: 'Where is my invoice?' });
      await ask();
      ids.push(call.requestId);
    });
  }
  assert.equal(currentInvocation(), null);
  assert.deepEqual(ids, ['req_1', 'resp_1', 'req_2', '7d1f']);
  const found = recorded().map((one) => [one.requested_model, one.label, one.input_tokens, one.cached_tokens, one.finish_reason]);
  assert.deepEqual(found, [
    ['gpt', 'billing', 120, 64, 'stop'],
    ['gpt', 'technical', 40, 0, 'stop'],
    ['claude', 'billing', 1210, 1000, 'stop'],
    ['nova', undefined, 60, 50, 'length'],
  ]);
  assert.ok(recorded().every((one) => one.prompt_version === 2 && one.input_hash));
  bedrock.destroy();
});

test('streams are recorded and pass unchanged', async () => {
  const [openai, anthropic, bedrock] = [newOpenAI(), newAnthropic(), newBedrock()].map(wrap);
  const claudeEvents = events('anthropic messages: input counts the cache');
  const converseEvents = events("bedrock converse, AWS's client for JavaScript");
  provider.answerEvents(events('openai chat'), { headers: { 'x-request-id': 'req_1' } });
  provider.answerEvents(events('openai responses'), { named: true });
  provider.answerEvents(claudeEvents, { named: true, headers: { 'request-id': 'req_2' } });
  provider.answerAwsEvents(converseEvents, { headers: { 'x-amzn-requestid': '7d1f' } });
  const ids = [];
  for (const [ask, expected] of [
    [() => chat(openai, { stream: true }), events('openai chat')],
    [() => openai.responses.create({ model: 'gpt', input: 'x', stream: true }), events('openai responses')],
    [() => claude(anthropic, { stream: true }), claudeEvents],
    [async () => (await bedrock.send(new ConverseStreamCommand(QUESTION))).stream, converseEvents],
  ]) {
    await prompt.call(async (call) => {
      assert.deepEqual(await all(await ask()), expected);
      ids.push(call.requestId);
    });
  }
  assert.deepEqual(ids, ['req_1', 'resp_1', 'req_2', '7d1f']);
  const records = recorded();
  assert.deepEqual(records.map((one) => [one.label, one.input_tokens]), [['billing', 120], ['technical', 40], ['billing', 1210], ['technical', 60]]);
  assert.ok(records.every((one) => one.time_to_first_token_ms > 0 && one.time_to_first_token_ms <= one.latency_ms));
  bedrock.destroy();
});

test('helpers, parsed replies, raw responses and copies', async () => {
  const [openai, anthropic] = [newOpenAI(), newAnthropic()].map(wrap);
  provider.answerEvents(events('anthropic messages: input counts the cache'), { named: true });
  await prompt.call(async () => {
    const helper = anthropic.messages.stream({ model: 'claude', max_tokens: 16, messages: MESSAGES });
    assert.equal(await helper.finalText(), 'billing');
  });
  provider.reset();
  provider.answerEvents(events('openai chat'));
  await prompt.call(async () => {
    const helper = openai.chat.completions.stream({ model: 'gpt', messages: MESSAGES });
    assert.equal(await helper.finalContent(), ' billing');
  });
  await prompt.call(async () => {
    const [left, right] = (await chat(openai, { stream: true })).tee();
    assert.deepEqual(await all(left), await all(right));
  });
  provider.reset();
  provider.answer(CHAT, { headers: { 'x-request-id': 'req_1' } });
  await prompt.call(async (call) => {
    const { data, response, request_id: id } = await chat(openai.withOptions({ timeout: 3000 })).withResponse();
    assert.deepEqual([data.id, response.status, id, call.requestId], ['chatcmpl-1', 200, 'req_1', 'req_1']);
  });
  await prompt.call(async () => {
    const response = await chat(openai).asResponse();
    assert.equal((await response.json()).id, 'chatcmpl-1');
  });
  await prompt.call(async () => {
    const parsed = await openai.chat.completions.parse({ model: 'gpt', messages: MESSAGES });
    assert.equal(parsed._request_id, 'req_1');
  });
  assert.deepEqual(recorded().map((one) => one.label), ['billing', 'billing', 'billing', 'billing', undefined, 'billing']);
  assert.ok(recorded().every((one) => one.status === 'ok'));
});

test('errors are recorded and thrown', async () => {
  const [openai, anthropic, bedrock] = [newOpenAI(), newAnthropic(), newBedrock()].map(wrap);
  provider.answer({ error: { message: 'no', type: 'x' } }, { status: 429 });
  await assert.rejects(prompt.call(() => chat(openai)), OpenAI.RateLimitError);
  await assert.rejects(prompt.call(() => claude(anthropic)), Anthropic.RateLimitError);
  provider.reset();
  provider.answer({ message: 'slow down' }, { status: 429, headers: { 'x-amzn-errortype': 'ThrottlingException' } });
  await assert.rejects(prompt.call(() => bedrock.send(new ConverseCommand(QUESTION))), { name: 'ThrottlingException' });
  provider.reset();
  provider.answerAwsEvents([...events('bedrock converse: input counts the cache').slice(0, 2), { modelStreamErrorException: { message: 'broke' } }]);
  await assert.rejects(prompt.call(async () => all((await bedrock.send(new ConverseStreamCommand(QUESTION))).stream)));
  provider.reset();
  provider.answerEvents([...events('openai chat').slice(0, 2), { error: { message: 'broke', type: 'server_error' } }]);
  await assert.rejects(prompt.call(async () => all(await chat(openai, { stream: true }))), OpenAI.APIError);
  const records = recorded();
  assert.deepEqual(records.map((one) => one.error_type), ['rate_limit', 'rate_limit', 'rate_limit', 'server_error', 'server_error']);
  assert.deepEqual(records.slice(3).map((one) => [one.status, one.output_length]), [['error', 4], ['error', 4]]);
  bedrock.destroy();
});

test('further calls are a tree, and nothing is recorded twice', async () => {
  const openai = wrap(newOpenAI());
  provider.answer(CHAT);
  const id = await prompt.call(async (call) => {
    assert.equal(call.record(await chat(openai), { costUsd: 0.002 }), true);
    await chat(openai);
    await loader.loadPrompt('shared.tone').call(() => chat(openai));
    return call.id;
  }, { session: 's', agent: 'planner' });
  const records = recorded();
  const outer = records.find((one) => one.invocation_id === id);
  assert.deepEqual([outer.cost_usd, outer.input_tokens, outer.parent_invocation], [0.002, 120, undefined]);
  const inner = records.filter((one) => one !== outer);
  assert.deepEqual(inner.map((one) => [one.parent_invocation, one.session, one.agent]), [[id, 's', 'planner'], [id, 's', 'planner']]);
  assert.deepEqual(inner.map((one) => one.prompt_id), [INTENT, 'shared.tone']);
});

test('a stream that is read after the call is waited for, also one that is left early', async () => {
  const openai = wrap(newOpenAI());
  provider.answerEvents(events('openai chat'));
  const stream = await prompt.call(() => chat(openai, { stream: true }));
  assert.deepEqual(recorded(), []);
  await all(stream);
  assert.deepEqual(recorded().map((one) => one.label), ['billing']);
  for await (const chunk of await prompt.call(() => chat(openai, { stream: true }))) {
    if (chunk.choices[0].delta.content) break;
  }
  const left = recorded()[1];
  assert.deepEqual([left.status, left.output_length, left.finish_reason, left.valid], ['ok', 4, undefined, undefined]);
});

test('streams of clients that are not wrapped', async () => {
  const [openai, anthropic] = [newOpenAI(), newAnthropic()];
  provider.answerEvents(events('openai chat'));
  await prompt.call(async (call) => {
    const stream = await chat(openai, { stream: true });
    assert.equal(call.record(stream), stream);
    assert.equal(call.record(stream), stream);
    assert.deepEqual(await all(stream), events('openai chat'));
  });
  provider.reset();
  provider.answerEvents(events('anthropic messages: input counts the cache'), { named: true });
  await prompt.call(async (call) => {
    const helper = call.record(anthropic.messages.stream({ model: 'claude', max_tokens: 16, messages: MESSAGES }));
    assert.equal(await helper.finalText(), 'billing');
  });
  const invocation = prompt.invocation();
  await invocation.run(async (call) => {
    assert.equal(currentInvocation(), call);
    await all(await claude(wrap(anthropic), { stream: true }));
  });
  assert.equal(recorded().length, 2);
  invocation.end();
  assert.deepEqual(recorded().map((one) => [one.label, one.output_tokens]), [['billing', 9], ['billing', 30], ['billing', 30]]);
});

test('outside of an invocation, and for what is no call of a model, nothing happens', async () => {
  const openai = wrap(newOpenAI());
  provider.answer(CHAT);
  assert.equal((await chat(openai)).id, 'chatcmpl-1');
  provider.reset();
  provider.answer({ object: 'list', data: [], model: 'e', usage: { prompt_tokens: 1, total_tokens: 1 } });
  await prompt.call(async (call) => {
    await openai.embeddings.create({ model: 'e', input: 'x', encoding_format: 'float' });
    call.record('billing');
  });
  const [record, ...more] = recorded();
  assert.deepEqual([record.label, record.requested_model, more], ['billing', 'claude-3-5-sonnet', []]);
});

test('failures of recording are counted and not thrown', async () => {
  const endless = {};
  endless.again = endless;
  async function* odd() {
    yield endless;
    yield 3n;
    yield undefined;
  }
  await prompt.call(async (call) => {
    assert.equal((await all(call.record(odd()))).length, 3);
    assert.equal(call.record(Object.freeze({ async *[Symbol.asyncIterator]() {} })) === false, true);
  });
  assert.ok(loader.dropped >= 3, String(loader.dropped));
  assert.equal(recorded()[0].status, 'ok');
});
