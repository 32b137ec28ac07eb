// Where invocations go, against the real command: a server over HTTP and OTLP, spools, outages and the end of a process.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { Loader } from 'promptops';

import { COMMAND, RecordingServer, until } from './recording-server.mjs';
import { INTENT, ownFolder, recorded, warningsOf, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });
beforeEach(() => writeSources());

const PACKAGE = new URL('../index.js', import.meta.url).pathname;
const BEGIN = `
  const { dropped, flush, flushAsync, loadPrompt } = require(${JSON.stringify(PACKAGE)});
  const prompt = loadPrompt(${JSON.stringify(INTENT)});
  const call = (session) => prompt.call((call) => { call.record('billing'); }, { session });
`;

/** Runs a program with a prompt and a function `call(session)`, in the folder of the test, and returns how it ended and what it said. */
async function run(program, variables = {}) {
  const node = spawn(process.execPath, ['--eval', `${BEGIN}(async () => {${program}})();`], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) node[name].setEncoding('utf8').on('data', (text) => { said[name] += text; });
  const [code, signal] = await once(node, 'close');
  return { code, signal, ...said };
}

async function succeeds(program, variables) {
  const ended = await run(program, variables);
  assert.equal(ended.code, 0, ended.stderr);
  return ended;
}

async function call(loader, session) {
  await loader.loadPrompt(INTENT).call((one) => { one.record('billing'); }, { session });
}

/** The sessions in the files of a spool, oldest first. */
function spooled(folder, end = '.jsonl') {
  const files = readdirSync(folder).filter((name) => name.endsWith(end)).sort();
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean));
  return lines.map((line) => JSON.parse(line).session);
}

/** The ways to the server: what each is called, and its destination of an address. */
const WAYS = {
  http: (address) => `http://${address}`,
  'OTLP over HTTP': (address) => `otlp+http://${address}`,
  'OTLP over gRPC': (address) => `otlp+grpc://${address}`,
};

describe('a server that records', { skip: COMMAND ? false : 'PROMPTOPS_TEST_BINARY does not say where the command is' }, () => {
  let server;

  beforeEach(async () => {
    server = new RecordingServer('server');
    await server.start();
  });
  afterEach(() => server.end());

  for (const [way, destination] of Object.entries(WAYS)) {
    test(`${way}: calls get into the lake, without a flush`, async () => {
      const PROMPTOPS_SINK = destination(`127.0.0.1:${server.port}`);
      await succeeds("for (const session of ['0', '1', '2']) await call(session);", { PROMPTOPS_SINK, PROMPTOPS_SERVICE: 'shop' });
      const calls = await server.calls();
      assert.deepEqual(calls.map((one) => one.session), ['0', '1', '2']);
      assert.equal(new Set(calls.map((one) => one.invocation_id)).size, 3);
      for (const one of calls) {
        assert.deepEqual([one.prompt_id, one.prompt_version, one.label, one.service], [INTENT, 2, 'billing', 'shop']);
      }
    });
  }

  for (const protocol of ['http/protobuf', 'grpc']) {
    test(`otlp reads the variables of OpenTelemetry: ${protocol}`, async () => {
      const of = { OTEL_EXPORTER_OTLP_ENDPOINT: server.url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol };
      await succeeds("await call('a');", { PROMPTOPS_SINK: 'otlp', OTEL_SERVICE_NAME: 'shop', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', ...of });
      assert.deepEqual((await server.calls()).map((one) => [one.session, one.service]), [['a', 'shop']]);
    });
  }

  test('several sinks get the same records', async () => {
    const sink = [server.url, 'spool:spool', 'jsonl:more.jsonl'];
    const loader = new Loader({ lock: 'promptops.lock', invocations: 'calls.jsonl', sink });
    await call(loader, 'a');
    await loader.flushAsync();
    assert.equal(loader.dropped, 0);
    assert.equal(readFileSync('calls.jsonl', 'utf8'), readFileSync('more.jsonl', 'utf8'));
    assert.deepEqual(spooled('spool'), ['a']);
    assert.deepEqual((await server.calls()).map((one) => one.invocation_id), [recorded()[0].invocation_id]);
  });

  for (const [end, code] of [['process.exit(3);', 3], ["throw new Error('the end');", 1]]) {
    test(`the end of a process delivers: ${end}`, async () => {
      const ended = await run(`await call('a'); await call('b'); ${end}`, { PROMPTOPS_SINK: server.url });
      assert.equal(ended.code, code, ended.stderr);
      assert.deepEqual(await server.sessions(), ['a', 'b']);
    });
  }

  test('a function in Lambda that is told to end delivers', { skip: process.platform === 'win32' }, async () => {
    const program = "await call('a'); setInterval(() => {}, 1000); process.kill(process.pid, 'SIGTERM');";
    const ended = await run(program, { PROMPTOPS_SINK: server.url, AWS_LAMBDA_FUNCTION_NAME: 'shop' });
    assert.equal(ended.signal, 'SIGTERM', ended.stderr);
    assert.deepEqual(await server.sessions(), ['a']);
  });

  test('threads record to one sink, and one that is ended takes nothing with it', async () => {
    const program = `
      const { Worker } = require('node:worker_threads');
      const work = (number) => ${JSON.stringify(`(async () => {${BEGIN}`)}
        + "for (let line = 0; line < 50; line += 1) await call('" + number + " ' + String(line).padStart(2, '0'));"
        + (number === 3 ? 'process.exit();' : '') + '})();';
      await Promise.all([0, 1, 2, 3].map((number) => new Promise((go) => {
        new Worker(work(number), { eval: true }).on('exit', go).on('error', (error) => { throw error; });
      })));
      await call('main');
    `;
    await succeeds(program, { PROMPTOPS_SINK: server.url });
    const expected = [0, 1, 2, 3].flatMap((number) => Array.from({ length: 50 }, (_, line) => `${number} ${String(line).padStart(2, '0')}`));
    assert.deepEqual(await server.sessions(), [...expected, 'main']);
  });

  test('a server that is back gets what was spilled', async () => {
    await server.end();
    const loader = new Loader({ lock: 'promptops.lock', sink: server.url, spill: 'spill' });
    const away = ['away 0', 'away 1', 'away 2'];
    for (const session of away) await call(loader, session);
    await loader.flushAsync();
    assert.equal(loader.dropped, 0);
    assert.deepEqual(spooled('spill'), away);
    await server.start();
    await call(loader, 'back');
    await until(async () => await server.taken() === 4, 'the server has all of them, with nobody flushing');
    await until(() => readdirSync('spill').length === 0, 'the spool is empty');
    assert.equal(loader.dropped, 0);
    assert.deepEqual(await server.sessions(), [...away, 'back']);
  });

  test('an outage is said once, and the next process delivers', async () => {
    await server.end();
    const variables = { PROMPTOPS_SINK: server.url, PROMPTOPS_SPILL: 'spill' };
    const { stderr } = await succeeds("await call('first'); await flushAsync(); await call('second'); await flushAsync();", variables);
    assert.equal(stderr.split('records wait in the spool').length, 2, stderr);
    assert.ok(stderr.includes(server.url), stderr);
    // This one has no time to end: its file is closed by the next that opens the folder.
    const program = `
      const { readdirSync, statSync } = require('node:fs');
      await call('third');
      while (!readdirSync('spill').some((name) => name.endsWith('.open') && statSync('spill/' + name).size)) {
        await new Promise((go) => setTimeout(go, 10));
      }
      process.kill(process.pid, 'SIGKILL');
    `;
    assert.notEqual((await run(program, variables)).code, 0);
    assert.deepEqual([spooled('spill'), spooled('spill', '.open')], [['first', 'second'], ['third']]);
    await server.start();
    const { stdout } = await succeeds("await call('fourth'); await flushAsync(); console.log(dropped());", variables);
    assert.equal(stdout, '0\n');
    assert.deepEqual(readdirSync('spill'), []);
    assert.deepEqual(await server.sessions(), ['first', 'fourth', 'second', 'third']);
  });

  test('what a stuck server was asked to take is spilled at the end', async () => {
    await server.end();
    // In the place of the server somebody accepts the request and never answers. The end comes while it is under way, so its
    // records have left the queue.
    const program = `
      const stuck = require('node:net').createServer();
      await new Promise((go) => stuck.listen(${server.port}, '127.0.0.1', go));
      await call('under way');
      await new Promise((go) => stuck.on('connection', (connection) => connection.once('data', go)));
      await call('waiting');
      process.exit();
    `;
    const variables = { PROMPTOPS_SINK: server.url, PROMPTOPS_SPILL: 'spill', PROMPTOPS_FLUSH_SECONDS: '2' };
    await succeeds(program, variables);
    assert.deepEqual(spooled('spill'), ['under way', 'waiting']);
    await server.start();
    await succeeds("await call('later'); await flushAsync();", variables);
    assert.deepEqual(await server.sessions(), ['later', 'under way', 'waiting']);
  });

  test('a record that is refused is dropped, counted and said', async () => {
    const said = await warningsOf(async () => {
      const loader = new Loader({ lock: 'promptops.lock', sink: `${server.url}/elsewhere` });
      await call(loader, 'a');
      await loader.flushAsync();
      assert.equal(loader.dropped, 1);
      await call(loader, 'b');
    });
    assert.ok(said.some((text) => text.includes('records are lost: the server answered 404')), said.join('\n'));
  });
});

for (const [way, destination] of Object.entries(WAYS)) {
  test(`${way}: flushing waits no longer than it is told to`, async () => {
    // It accepts connections and never answers.
    const stuck = createServer();
    await new Promise((go) => stuck.listen(0, '127.0.0.1', go));
    const connections = [];
    stuck.on('connection', (connection) => connections.push(connection.on('error', () => {})));
    const program = `
      await call('a');
      const started = performance.now();
      flush();
      console.log(performance.now() - started);
    `;
    const PROMPTOPS_SINK = destination(`127.0.0.1:${stuck.address().port}`);
    const { stdout } = await succeeds(program, { PROMPTOPS_SINK, PROMPTOPS_FLUSH_SECONDS: '0.5' });
    for (const connection of connections) connection.destroy();
    stuck.close();
    assert.ok(Number(stdout) >= 490 && Number(stdout) < 4500, `${stdout}: less than the five seconds that it waits unless told otherwise`);
  });
}

test('a spool is closed by a flush and by the end', async () => {
  await succeeds("await call('a'); await flushAsync(); await call('b');", { PROMPTOPS_SINK: 'spool:spool' });
  const names = readdirSync('spool');
  assert.equal(names.length, 2);
  assert.ok(names.every((name) => name.endsWith('.jsonl')), names.join());
  assert.deepEqual(spooled('spool'), ['a', 'b']);
});

test('a spool begins a new file when one is full', async () => {
  const loader = new Loader({ lock: 'promptops.lock', sink: 'spool:spool' });
  const numbers = Array.from({ length: 400 }, (_, number) => String(number).padStart(3, '0'));
  for (const number of numbers) await call(loader, `${number} ${'x'.repeat(100_000)}`);
  await loader.flushAsync();
  assert.equal(loader.dropped, 0);
  const sizes = readdirSync('spool').sort().map((name) => statSync(join('spool', name)).size);
  assert.equal(sizes.length, 3, '40 MB in files of 16 MB');
  for (const size of sizes.slice(0, 2)) assert.ok(size >= 16 << 20 && size < (16 << 20) + 200_000, String(size));
  assert.deepEqual(spooled('spool').map((session) => session.slice(0, 3)), numbers);
});

test('the oldest of a spool go when there is too much, and are counted', async () => {
  const program = "for (let n = 0; n < 5; n += 1) { await call(String(n).repeat(5000)); await flushAsync(); } console.log(dropped());";
  const { stdout } = await succeeds(program, { PROMPTOPS_SINK: 'spool:spool', PROMPTOPS_SPOOL_BYTES: '12000' });
  assert.equal(stdout, '3\n');
  assert.deepEqual(spooled('spool').map((session) => session[0]), ['3', '4']);
});

for (const kind of ['spool', 'spill']) {
  test(`a full disk costs the ${kind} what it does not take and nothing else`, async (context) => {
    mkdirSync('small');
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', 'small'], { encoding: 'utf8' });
    if (mounted.error || mounted.status !== 0) {
      context.skip(`no file system can be mounted here: ${mounted.stderr ?? mounted.error.message}`);
      return;
    }
    try {
      writeFileSync('small/filling', 'x'.repeat(40 << 10));
      // No server listens there, so that all of them are spilled.
      const free = createServer();
      await new Promise((go) => free.listen(0, '127.0.0.1', go));
      const nobody = `http://127.0.0.1:${free.address().port}`;
      await new Promise((go) => free.close(go));
      const sinks = kind === 'spill' ? { sink: nobody, spill: 'small' } : { sink: 'spool:small' };
      const loader = new Loader({ lock: 'promptops.lock', ...sinks });
      const numbers = Array.from({ length: 20 }, (_, number) => String(number).padStart(2, '0'));
      for (const number of numbers) await call(loader, `${number} ${'x'.repeat(4000)}`);
      await loader.flushAsync();
      const lost = loader.dropped;
      assert.ok(lost > 10, String(lost));
      const written = spooled('small').map((session) => session.slice(0, 2));
      assert.deepEqual(written, numbers.slice(0, 20 - lost), 'each is on the disk, whole, or counted');
      rmSync('small/filling');
      await call(loader, 'there is room again');
      await loader.flushAsync();
      assert.equal(loader.dropped, lost);
      assert.equal(spooled('small').at(-1), 'there is room again');
    } finally {
      assert.equal(spawnSync('umount', ['small']).status, 0);
    }
  });
}

test('a variable without meaning is named and ignored', async () => {
  for (const [name, value] of [['PROMPTOPS_SINK', 'stdout'], ['PROMPTOPS_FLUSH_SECONDS', 'soon'], ['PROMPTOPS_SPOOL_BYTES', '1GB']]) {
    const { stdout, stderr } = await succeeds("await call('a'); console.log(dropped());", { [name]: value });
    assert.equal(stdout, '0\n');
    assert.ok(stderr.includes(`${name} is ignored, since it has a value without meaning: \`${value}\``), stderr);
  }
});

test('a setting without meaning is refused', () => {
  for (const sink of ['stdout', 'https://', ['emf', 'ftp://host']]) {
    assert.throws(() => new Loader({ lock: 'promptops.lock', sink }), /RangeError: invocations go to `emf`/);
  }
});
