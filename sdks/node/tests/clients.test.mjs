// Replies and errors of the official clients, which talk to a server on this machine.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import OpenAI from 'openai';
import { Loader } from 'promptops';

import { INTENT, ownFolder, recorded, reply, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

let prompt;
beforeEach(() => {
  writeSources();
  prompt = new Loader({ lock: 'promptops.lock', invocations: 'calls.jsonl' }).loadPrompt(INTENT);
});

/** What the server answers next: status, headers and JSON. */
let answer;
/** What it was asked last, as JSON. */
let asked;
const servers = [];
const urls = {};

before(async () => {
  const respond = (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      asked = JSON.parse(Buffer.concat(chunks).toString());
      const { status = 200, headers = {}, json } = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(json));
    });
  };
  // The Bedrock client speaks HTTP/2.
  for (const [name, server] of [['http', createServer(respond)], ['http2', createHttp2Server(respond)]]) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    urls[name] = `http://127.0.0.1:${server.address().port}`;
    servers.push(server);
  }
});
after(() => servers.forEach((server) => server.close()));

const openai = () => new OpenAI({ apiKey: 'key', baseURL: `${urls.http}/v1`, maxRetries: 0 });
const anthropic = () => new Anthropic({ apiKey: 'key', baseURL: urls.http, maxRetries: 0 });

test('OpenAI chat completions and responses', async () => {
  answer = { headers: { 'x-request-id': 'req_1' }, json: reply('openai chat') };
  await prompt.call(async (call) => {
    const messages = prompt.messages({ message: 'Where is my invoice?' });
    call.record(await openai().chat.completions.create({ model: prompt.model, messages, ...prompt.parameters }));
    assert.equal(call.requestId, 'req_1');
  });
  assert.equal(asked.messages[1].content, 'Where is my invoice?');
  assert.equal(asked.max_tokens, 16);
  answer = { json: reply('openai responses') };
  await prompt.call(async (call) => {
    call.record(await openai().responses.create({ model: prompt.model, input: 'x' }));
  });
  const [chat, response] = recorded();
  assert.deepEqual([chat.input_tokens, chat.cached_tokens, chat.label, chat.status], [120, 64, 'billing', 'ok']);
  assert.deepEqual([response.output_tokens, response.reasoning_tokens, response.label], [12, 10, 'technical']);
});

test('Anthropic messages', async () => {
  answer = { headers: { 'request-id': 'req_2' }, json: reply('anthropic messages: input counts the cache') };
  await prompt.call(async (call) => {
    const [system, ...messages] = prompt.messages({ message: 'x' });
    const message = await anthropic().messages.create({ model: prompt.model, max_tokens: 16, system: system.content, messages });
    assert.ok(call.record(message));
    assert.equal(call.requestId, 'req_2');
  });
  const [record] = recorded();
  assert.deepEqual([record.input_tokens, record.reasoning_tokens, record.label], [1210, 21, 'billing']);
});

test('Bedrock converse', async () => {
  const { $metadata, ...json } = reply("bedrock converse, AWS's client for JavaScript");
  answer = { headers: { 'x-amzn-requestid': $metadata.requestId }, json };
  const bedrock = new BedrockRuntimeClient({
    endpoint: urls.http2,
    region: 'us-east-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  const converse = () => bedrock.send(new ConverseCommand({ modelId: 'm', messages: [{ role: 'user', content: [{ text: 'x' }] }] }));
  await prompt.call(async (call) => {
    assert.ok(call.record(await converse()));
    assert.equal(call.requestId, '7d1f');
  });
  answer = { status: 429, headers: { 'x-amzn-errortype': 'ThrottlingException' }, json: { message: 'slow down' } };
  await assert.rejects(prompt.call(converse));
  bedrock.destroy();
  const [good, bad] = recorded();
  assert.deepEqual([good.input_tokens, good.output_tokens, good.finish_reason], [60, 5, 'length']);
  assert.deepEqual([bad.status, bad.error_type], ['error', 'rate_limit']);
});

test('errors of the clients have the same names', async () => {
  const create = (client) => client.chat.completions.create({ model: 'm', messages: [] });
  const message = (client) => client.messages.create({ model: 'm', max_tokens: 1, messages: [] });
  for (const [status, expected] of [[429, 'rate_limit'], [401, 'authentication'], [400, 'invalid_request'], [500, 'server_error']]) {
    answer = { status, json: { error: { message: 'no', type: 'x' } } };
    await assert.rejects(prompt.call(() => create(openai())));
    await assert.rejects(prompt.call(() => message(anthropic())));
    assert.deepEqual(recorded().slice(-2).map((record) => record.error_type), [expected, expected]);
  }
  const nobody = new OpenAI({ apiKey: 'key', baseURL: 'http://127.0.0.1:1/v1', maxRetries: 0 });
  await assert.rejects(prompt.call(() => create(nobody)));
  await assert.rejects(prompt.call(() => nobody.chat.completions.create({ model: 'm', messages: [] }, { signal: AbortSignal.abort() })));
  assert.deepEqual(recorded().slice(-2).map((record) => record.error_type), ['connection', 'cancelled']);
});
