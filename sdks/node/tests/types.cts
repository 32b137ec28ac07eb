// Compiled and not run: the types by `require`.

import promptops = require('promptops');

const prompt: promptops.Prompt = promptops.loadPrompt('a.b');
const failure: promptops.PromptOpsError = new promptops.NotPinnedError('message', 'not-pinned', null);
console.log(prompt.messages({ message: 'x' } satisfies promptops.Values), failure.code, promptops.version);
