// Whatever is broken around a call, recording never throws: a program says that it is still there.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, test } from 'node:test';

import { ownFolder, writeSources } from './sources.mjs';

const PROMPTOPS = createRequire(import.meta.url).resolve('promptops');
const onUnix = { skip: process.platform === 'win32' && 'descriptors and pipes are those of Unix' };

ownFolder({ beforeEach, afterEach });
beforeEach(() => writeSources());

/** A program that calls `count` times, and says on standard error how many records were dropped. */
function program(settings, before = '', count = 3) {
  return `
    const fs = require('node:fs');
    const { Loader } = require(${JSON.stringify(PROMPTOPS)});
    ${before}
    const loader = new Loader({ lock: 'promptops.lock', ...${JSON.stringify(settings)} });
    const prompt = loader.loadPrompt('customer-support.intent-classifier');
    const started = Date.now();
    for (let number = 0; number < ${count}; number += 1) {
      const call = prompt.invocation();
      call.record('billing');
      call.end();
      if (call.label !== 'billing') throw new Error('the label is lost');
    }
    const took = Date.now() - started;
    loader.flush();
    fs.writeSync(2, JSON.stringify({ dropped: loader.dropped, took }));
  `;
}

function ended({ status, stderr }) {
  assert.equal(status, 0, stderr);
  return JSON.parse(stderr.slice(stderr.lastIndexOf('{')));
}

function run(settings, { before, stdout = 'pipe' } = {}) {
  const node = ['--disable-warning=PromptOpsWarning', '-e', program(settings, before)];
  return ended(spawnSync(process.execPath, node, { stdio: ['ignore', stdout, 'pipe'], encoding: 'utf8' }));
}

test('standard output is closed', onUnix, () => {
  assert.equal(run({ emf: true }, { before: 'fs.closeSync(1);' }).dropped, 3);
});

test('a file that takes the place of standard output gets no record', onUnix, () => {
  const before = "fs.closeSync(1); if (fs.openSync('stranger.csv', 'w') !== 1) throw new Error('another place');";
  assert.equal(run({ emf: true }, { before }).dropped, 3);
  assert.equal(readFileSync('stranger.csv', 'utf8'), '');
});

test('nobody reads standard output', onUnix, async () => {
  // The program begins once the other end of its pipe is closed.
  const node = ['--disable-warning=PromptOpsWarning', '-e', program({ emf: true }, 'fs.readFileSync(0);')];
  const child = spawn(process.execPath, node, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdout.destroy();
  await new Promise((resolve) => child.stdout.once('close', resolve));
  child.stdin.end();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  const status = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(ended({ status, stderr }).dropped, 3);
});

test('whoever reads standard output is stuck', onUnix, async () => {
  assert.equal(spawnSync('mkfifo', ['pipe']).status, 0);
  const reader = openSync('pipe', constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync('pipe', 'w');
  const node = ['--disable-warning=PromptOpsWarning', '-e', program({ emf: true }, '', 1000)];
  const result = ended(spawnSync(process.execPath, node, { stdio: ['ignore', writer, 'pipe'], encoding: 'utf8', timeout: 60_000 }));
  closeSync(writer);
  assert.ok(result.took < 10_000, 'a record waits once, and a tenth of a second at most');
  assert.ok(result.dropped > 500, `${result.dropped}`);
  let text = '';
  for (const bytes = Buffer.alloc(1 << 16); ;) {
    const count = readSync(reader, bytes);
    if (count === 0) break;
    text += bytes.toString('utf8', 0, count);
  }
  closeSync(reader);
  const lines = text.trimEnd().split('\n');
  lines.forEach((line) => JSON.parse(line));
  assert.equal(lines.length + result.dropped, 1000, 'what was written is whole, and the rest is counted');
});

test('the disk is full', { skip: !existsSync('/dev/full') && 'needs /dev/full' }, () => {
  assert.equal(run({ invocations: '/dev/full' }).dropped, 3);
  const full = openSync('/dev/full', 'w');
  assert.equal(run({ emf: true }, { stdout: full }).dropped, 3);
  closeSync(full);
});

test('the file cannot be opened', () => {
  // No disk is involved: a file stands where a folder should be.
  writeFileSync('file', '');
  const node = ['-e', program({ invocations: 'file/calls.jsonl' })];
  const { status, stderr } = spawnSync(process.execPath, node, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /invocations cannot be recorded/);
});

test('the file system can only be read', (context) => {
  mkdirSync('readonly');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', 'readonly'], { encoding: 'utf8' });
  if (mounted.error || mounted.status !== 0) {
    context.skip(`no file system can be mounted here: ${mounted.stderr ?? mounted.error.message}`);
    return;
  }
  try {
    // Neither a cache nor a file of records can be written; prompts load, calls go through.
    const before = "process.env.XDG_CACHE_HOME = 'readonly';";
    const { status, stderr } = spawnSync(process.execPath, ['-e', program({ invocations: 'readonly/calls.jsonl' }, before)], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /invocations cannot be recorded/);
  } finally {
    assert.equal(spawnSync('umount', ['readonly']).status, 0);
  }
});
