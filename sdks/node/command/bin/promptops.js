#!/usr/bin/env node
'use strict';

// Runs the program that lies beside this file, with its streams and its exit code.

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const program = join(__dirname, process.platform === 'win32' ? 'promptops.exe' : 'promptops');
// Ctrl-C reaches the program by itself; it decides what comes of it, and this process waits for that.
process.on('SIGINT', () => {});
const { error, signal, status } = spawnSync(program, process.argv.slice(2), { stdio: 'inherit' });
if (error) {
  console.error(`promptops cannot be started on this machine (${process.platform} on ${process.arch}): ${error.message}`);
  process.exitCode = 8;
} else if (signal) {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, signal);
} else {
  process.exitCode = status;
}
