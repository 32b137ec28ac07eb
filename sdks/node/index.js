'use strict';

const errors = require('./lib/errors.js');
const invocation = require('./lib/invocation.js');
const loader = require('./lib/loader.js');
const prompt = require('./lib/prompt.js');
const { wrap } = require('./lib/wrap.js');
const { version } = require('./package.json');

// Written out, so that `import { … }` of ECMAScript modules finds each name.
module.exports.ConfigurationError = errors.ConfigurationError;
module.exports.IntegrityError = errors.IntegrityError;
module.exports.InvalidPromptError = errors.InvalidPromptError;
module.exports.Invocation = invocation.Invocation;
module.exports.Loader = loader.Loader;
module.exports.NotPinnedError = errors.NotPinnedError;
module.exports.Prompt = prompt.Prompt;
module.exports.PromptNotFoundError = errors.PromptNotFoundError;
module.exports.PromptOpsError = errors.PromptOpsError;
module.exports.RegistryUnavailableError = errors.RegistryUnavailableError;
module.exports.RenderError = errors.RenderError;
module.exports.configure = loader.configure;
module.exports.currentInvocation = invocation.currentInvocation;
module.exports.dropped = loader.dropped;
module.exports.flush = loader.flush;
module.exports.flushAsync = loader.flushAsync;
module.exports.loadPrompt = loader.loadPrompt;
module.exports.loadPromptAsync = loader.loadPromptAsync;
module.exports.refresh = loader.refresh;
module.exports.version = version;
module.exports.wrap = wrap;
