// The package as npm makes it: what is in it, both kinds of module, and types that fit what is there.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as modules from 'promptops';

import { INTENT, ownFolder, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

const HOME = fileURLToPath(new URL('..', import.meta.url));
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const run = (program, parameters, cwd) => execFileSync(program, parameters, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

test('what npm packs installs alone and is imported in both ways', () => {
  writeSources();
  const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', process.cwd()], HOME));
  const names = files.map((file) => file.path).sort();
  assert.deepEqual(names, [
    'README.md', 'bin/promptops.js', 'index.d.mts', 'index.d.ts', 'index.js', 'index.mjs',
    'lib/error-name.js', 'lib/errors.js', 'lib/invocation.js', 'lib/loader.js', 'lib/native.js', 'lib/prompt.js',
    'lib/streams.js', 'lib/trace.js', 'lib/wrap.js', 'package.json', 'promptops.node',
  ]);
  writeFileSync('package.json', '{"private": true}');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`]);
  const use = `console.log(loadPrompt('${INTENT}').version, PromptOpsError.name)`;
  writeFileSync('use.mjs', `import { loadPrompt, PromptOpsError } from 'promptops';\n${use}`);
  writeFileSync('use.cjs', `const { loadPrompt, PromptOpsError } = require('promptops');\n${use}`);
  assert.equal(run(process.execPath, ['use.mjs']), '2 PromptOpsError\n');
  assert.equal(run(process.execPath, ['use.cjs']), '2 PromptOpsError\n');
});

const COMMAND = process.env.PROMPTOPS_TEST_BINARY;

test('installing the package brings the command', { skip: COMMAND ? false : 'PROMPTOPS_TEST_BINARY is not set' }, () => {
  cpSync(`${HOME}command`, 'command', { recursive: true });
  cpSync(COMMAND, 'command/bin/promptops');
  // Symbols make it several times as large; a machine without this program packs them too.
  spawnSync('strip', ['command/bin/promptops']);
  const pack = (folder) => JSON.parse(run('npm', ['pack', '--json', folder]))[0];
  const command = pack('./command');
  assert.deepEqual(command.files.map((file) => file.path).sort(), ['README.md', 'bin/promptops', 'bin/promptops.js', 'package.json']);
  const sdk = pack(HOME);
  assert.equal(command.version, sdk.version);
  writeFileSync('package.json', '{"private": true}');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${command.filename}`, `./${sdk.filename}`]);
  // What npm puts on the path of scripts, and on that of everybody with `--global`.
  const installed = (...parameters) => spawnSync('node_modules/.bin/promptops', parameters, { encoding: 'utf8' });
  assert.equal(installed('--version').stdout, `promptops ${sdk.version}\n`);
  const wrong = installed('no-such-command');
  assert.deepEqual([wrong.status, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /unrecognized subcommand/);
});

test('both kinds of module are the same one', () => {
  const required = createRequire(import.meta.url)('promptops');
  assert.deepEqual(Object.keys(modules).sort(), Object.keys(required).sort());
  for (const [name, value] of Object.entries(required)) assert.equal(modules[name], value, name);
});

test('the types name what is there', () => {
  const declared = read('index.d.ts').replaceAll(/\/\*[^]*?\*\//g, '');
  const names = [...declared.matchAll(/^export (?:const|function|class) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(names)].sort(), Object.keys(modules).sort());
  for (const [, name, body] of declared.matchAll(/^export class (\w+)[^{]*{([^]*?)^}/gm)) {
    const members = [...body.matchAll(/^ {2}(?:get )?(\w+|\[Symbol\.dispose\])(?:<T>)?\(/gm)].map(([, member]) => member);
    const prototype = modules[name].prototype;
    const there = Reflect.ownKeys(prototype).filter((key) => key !== Symbol.for('nodejs.util.inspect.custom'));
    const written = there.map((key) => (key === Symbol.dispose ? '[Symbol.dispose]' : key));
    // Errors have their name as a getter, which `Error` declares.
    assert.deepEqual(new Set(['constructor', ...members]), new Set(written.filter((key) => key !== 'name')), name);
  }
});

test('the fields of a prompt are those that the types name', () => {
  writeSources();
  const [, body] = /^export class Prompt {([^]*?)^}/m.exec(read('index.d.ts'));
  const fields = [...body.matchAll(/^ {2}readonly (\w+):/gm)].map(([, name]) => name);
  const prompt = new modules.Loader({ lock: 'promptops.lock' }).loadPrompt(INTENT);
  assert.deepEqual(Object.keys(prompt), fields);
});

test('programs in TypeScript compile, and mistakes in them do not', () => {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  run(process.execPath, [tsc, '--project', 'tests/tsconfig.json'], HOME);
});

test('the version is that of the workspace', () => {
  const [, version] = /^\[workspace\.package\]\nversion = "(.*)"$/m.exec(read('../../Cargo.toml'));
  assert.equal(modules.version, version);
});

test('the lock names no registry', () => {
  // The command is a folder of this package, and addresses of funding are no registries.
  const rest = read('package-lock.json').replace('"resolved": "command"', '').replaceAll(/"url": "https?:[^"]*"/g, '');
  assert.ok(!/"resolved"|https?:/.test(rest));
});
