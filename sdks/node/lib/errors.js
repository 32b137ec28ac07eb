'use strict';

/** A prompt could not be loaded or rendered; see `index.d.ts`. */
class PromptOpsError extends Error {
  constructor(message, code, hint) {
    super(hint ? `${message}\nhint: ${hint}` : message);
    this.code = code;
    this.hint = hint ?? undefined;
  }

  get name() {
    return this.constructor.name;
  }
}

class PromptNotFoundError extends PromptOpsError {}
class NotPinnedError extends PromptOpsError {}
class IntegrityError extends PromptOpsError {}
class InvalidPromptError extends PromptOpsError {}
class ConfigurationError extends PromptOpsError {}
class RegistryUnavailableError extends PromptOpsError {}
class RenderError extends PromptOpsError {}

const BY_CODE = new Map([
  ['invalid-name', PromptNotFoundError],
  ['not-found', PromptNotFoundError],
  ['not-pinned', NotPinnedError],
  ['integrity', IntegrityError],
  ['corrupt', IntegrityError],
  ['missing', IntegrityError],
  ['invalid-prompt', InvalidPromptError],
  ['no-source', ConfigurationError],
  ['invalid-setting', ConfigurationError],
  ['unavailable', RegistryUnavailableError],
  ['stale', RegistryUnavailableError],
  ['render', RenderError],
]);

/** Makes the error for a failure that the native part returned. */
function toError(failure) {
  // The caller's mistake, not the prompt's.
  if (failure.code === 'value') return new TypeError(failure.message);
  const ErrorClass = BY_CODE.get(failure.code) ?? PromptOpsError;
  return new ErrorClass(failure.message, failure.code, failure.hint);
}

module.exports = {
  ConfigurationError,
  IntegrityError,
  InvalidPromptError,
  NotPinnedError,
  PromptNotFoundError,
  PromptOpsError,
  RegistryUnavailableError,
  RenderError,
  toError,
};
