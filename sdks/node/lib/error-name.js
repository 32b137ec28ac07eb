'use strict';

/** Names what was thrown: by the system's code where the network failed, else by the name that the provider's client gives. */
function errorName(error) {
  try {
    if (typeof error !== 'object' || error === null) return typeof error;
    const isSystems = (code) => typeof code === 'string' && /^(E[A-Z0-9]+|UND_ERR_[A-Z_]+)$/.test(code);
    const code = [error.code, error.cause?.code].find(isSystems);
    if (code !== undefined) return code;
    // Errors of the AWS clients are named by their code; those of OpenAI and Anthropic have a class of their own and no name.
    const names = [error.name, error.constructor?.name];
    return names.find((name) => typeof name === 'string' && name !== '' && name !== 'Error') ?? 'Error';
  } catch {
    return 'Error';
  }
}

module.exports = { errorName };
