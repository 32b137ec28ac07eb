'use strict';

// Builds the native part with cargo and puts it where `lib/native.js` looks: `node build.js [--release]`.

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');

const target = 'promptops-node';
const cargo = process.env.CARGO ?? 'cargo';
const flags = process.argv.slice(2);
const built = execFileSync(
  cargo,
  ['build', '--locked', '-p', target, '--message-format=json-render-diagnostics', ...flags],
  { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
);
const messages = built.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
const artifact = messages.find((one) => one.reason === 'compiler-artifact' && one.target.name.replaceAll('_', '-') === target);
const library = artifact?.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
if (library === undefined) throw new Error('cargo did not say what it built');
// Renamed into place: a process that has the old file loaded keeps it whole.
const place = join(__dirname, 'promptops.node');
copyFileSync(library, `${place}.new`);
renameSync(`${place}.new`, place);
