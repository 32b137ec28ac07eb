#!/usr/bin/env node
'use strict';

// The command is a package of its own, so that an application can leave it out: `npm install --omit=optional`.

let command;
try {
  command = require.resolve('promptops-cli/bin/promptops.js');
} catch {
  console.error('the package promptops-cli is not installed: npm install promptops-cli');
  process.exitCode = 4;
}
if (command) require(command);
