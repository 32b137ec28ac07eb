// `promptops mcp` as the official TypeScript client sees it, over both transports.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { PromptListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const COMMAND = process.env.PROMPTOPS_TEST_BINARY;

const REPLY = `
id: support.reply
version: 1
owner: support
purpose: Draft a reply
model: gpt-4o
tags: [drafts]
inputs:
  message: {type: string}
  tone: {type: string, enum: [warm, plain]}
  facts: {type: object, required: [order]}
messages:
  - {role: system, content: "Reply in a {{ tone }} tone about order {{ facts.order }}."}
  - {role: user, content: "{{ message }}"}
`;

/** Who commits and acts, whatever the machine's Git and the settings of whoever runs this say. */
const ENV = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PROMPTOPS|GIT)_/.test(name))),
  GIT_CONFIG_GLOBAL: devNull,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada Example',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada Example',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  PROMPTOPS_ACTOR: 'ada@example.com',
};

const promptops = (folder, ...words) => execFileSync(COMMAND, words, { cwd: folder, env: ENV, encoding: 'utf8', stdio: 'pipe' });
const git = (folder, ...words) => execFileSync('git', words, { cwd: folder, env: ENV, stdio: 'pipe' });

function write(folder, id, text) {
  const path = join(folder, 'prompts', `${id.replaceAll('.', '/')}.yaml`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function release(folder, ...versions) {
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '--message', 'A change');
  promptops(folder, 'publish');
  promptops(folder, 'plan', '--env', 'prod', '--out', 'plan.json', '--no-text', ...versions);
  promptops(folder, 'deploy', 'plan.json');
}

describe('promptops mcp', { skip: COMMAND ? false : 'PROMPTOPS_TEST_BINARY does not say where the command is' }, () => {
  let released;
  let folder;
  let server;
  let client;

  before(() => {
    released = mkdtempSync(join(tmpdir(), 'promptops-mcp-'));
    git(released, 'init', '--quiet', '--initial-branch', 'main');
    writeFileSync(join(released, 'promptops.toml'), '[environments.prod]\n');
    write(released, 'support.reply', REPLY);
    for (let number = 100; number < 210; number += 1) {
      write(released, `many.prompt-${number}`, `id: many.prompt-${number}\nversion: 1\nowner: support\nmodel: any\ntags: []\ntemplate: About ${number}.\n`);
    }
    promptops(released, 'registry', 'init');
    release(released);
  });
  after(() => rmSync(released, { recursive: true }));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'promptops-mcp-'));
    cpSync(released, folder, { recursive: true });
  });
  afterEach(async () => {
    await client?.close();
    if (server) {
      server.kill();
      await new Promise((resolve) => server.once('exit', resolve));
      server = undefined;
    }
    rmSync(folder, { recursive: true });
  });

  /** Connects over a transport, and returns a client. */
  async function connect(way) {
    const options = ['mcp', '--env', 'prod', '--poll', '1', '--invocations', 'calls.jsonl'];
    client = new Client({ name: 'desk', version: '1' });
    if (way === 'stdio') {
      await client.connect(new StdioClientTransport({ command: COMMAND, args: options, cwd: folder, env: ENV, stderr: 'ignore' }));
      return client;
    }
    const key = promptops(folder, 'key', 'create', 'desk', '--scope', 'agent:prod').trim();
    const words = ['mcp', ...options.slice(3), '--listen', '127.0.0.1:0'];
    server = spawn(COMMAND, words, { cwd: folder, env: ENV, stdio: ['ignore', 'pipe', 'ignore'] });
    const lines = createInterface({ input: server.stdout });
    const line = await new Promise((resolve) => lines.once('line', resolve));
    const [url] = /https?:\S+\/mcp/.exec(line);
    const requestInit = { headers: { authorization: `Bearer ${key}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
    return client;
  }

  const recorded = () => readFileSync(join(folder, 'calls.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  const good = { message: 'Where is it?', tone: 'warm', facts: '{"order": 7}' };

  for (const way of ['stdio', 'http']) {
    test(`${way}: lists page by page, gets, completes`, async () => {
      await connect(way);
      assert.equal(client.getServerVersion().name, 'promptops');
      assert.ok(client.getServerCapabilities().prompts.listChanged);
      const first = await client.listPrompts();
      const second = await client.listPrompts({ cursor: first.nextCursor });
      assert.equal(second.nextCursor, undefined);
      assert.deepEqual([first.prompts.length, second.prompts.length], [100, 11]);
      const { name, description, arguments: listed } = second.prompts.at(-1);
      assert.deepEqual([name, description], ['support.reply', 'Draft a reply']);
      assert.deepEqual(listed.map((one) => [one.name, one.required, one.description]), [
        ['facts', true, 'As JSON: object'],
        ['message', true, undefined],
        ['tone', true, 'One of: warm, plain'],
      ]);

      const got = await client.getPrompt({ name: 'support.reply', arguments: good });
      assert.deepEqual(got.messages.map((message) => message.content.text), ['Reply in a warm tone about order 7.', 'Where is it?']);
      assert.equal(got.messages[0].content._meta['promptops/role'], 'system');
      assert.equal(got._meta['promptops/prompt'].model, 'gpt-4o');

      const { completion } = await client.complete({ ref: { type: 'ref/prompt', name: 'support.reply' }, argument: { name: 'tone', value: 'p' } });
      assert.deepEqual(completion.values, ['plain']);
    });

    test(`${way}: errors name what is wrong`, async () => {
      await connect(way);
      const refused = (given, message) =>
        assert.rejects(client.getPrompt({ name: 'support.reply', arguments: { ...good, ...given } }), (error) => {
          assert.equal(error.code, -32602);
          assert.match(error.message, message);
          return true;
        });
      await refused({ facts: 'order 7' }, /argument `facts` must be given as JSON/);
      await refused({ facts: '{}' }, /argument `facts` does not fit its schema: "order" is a required property/);
      await refused({ tone: 'rude' }, /argument `tone` .*one of \["warm","plain"\]/);
      await refused({ extra: 'x' }, /has no argument `extra`/);
      await assert.rejects(client.getPrompt({ name: 'support.replly' }), /did you mean `support.reply`/);
    });

    test(`${way}: a deploy is told, and a run is recorded`, async () => {
      await connect(way);
      const told = new Promise((resolve) => client.setNotificationHandler(PromptListChangedNotificationSchema, resolve));
      const root = await client.getPrompt({ name: 'many.prompt-100' });
      const parent = root._meta['promptops/invocation'];
      write(folder, 'support.reply', REPLY.replace('version: 1', 'version: 2\nparent: 1').replace('Reply in', 'Now reply in'));
      release(folder, 'support.reply@2');
      await told;
      const got = await client.getPrompt({ name: 'support.reply', arguments: good, _meta: { 'promptops/parent': parent } });
      assert.equal(got.messages[0].content.text, 'Now reply in a warm tone about order 7.');

      const invocation = got._meta['promptops/invocation'];
      const called = await client.callTool({ name: 'report_outcome', arguments: { invocation, scores: { helpful: 0.5 } } });
      assert.deepEqual([called.isError, called.structuredContent.version], [false, 2]);
      const found = await client.callTool({ name: 'search_prompts', arguments: { text: 'draft' } });
      assert.deepEqual(found.structuredContent.prompts.map((one) => [one.name, one.version]), [['support.reply', 2]]);
      const lineage = await client.callTool({ name: 'show_lineage', arguments: { name: 'support.reply' } });
      assert.deepEqual(lineage.structuredContent.ancestors.map((one) => one.version), ['support.reply@1']);

      const [record] = recorded();
      assert.deepEqual(
        [record.invocation_id, record.parent_invocation, record.agent, record.prompt_version, record.scores],
        [invocation, parent, 'desk', 2, { helpful: 0.5 }],
      );
    });
  }
});
