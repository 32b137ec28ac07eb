'use strict';

// Builds the command with cargo and puts it where `bin/promptops.js` looks: `node build.js [--release]`.

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { basename, join } = require('node:path');

const cargo = process.env.CARGO ?? 'cargo';
const flags = process.argv.slice(2);
const built = execFileSync(
  cargo,
  ['build', '--locked', '-p', 'promptops-cli', '--message-format=json-render-diagnostics', ...flags],
  { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
);
const messages = built.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
const artifact = messages.find((one) => one.reason === 'compiler-artifact' && one.target.name === 'promptops' && one.executable);
if (artifact === undefined) throw new Error('cargo did not say what it built');
// Renamed into place: a process that runs the old file keeps it whole.
const place = join(__dirname, 'bin', basename(artifact.executable));
copyFileSync(artifact.executable, `${place}.new`);
renameSync(`${place}.new`, place);
