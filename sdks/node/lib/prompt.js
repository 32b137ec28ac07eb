'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { inspect } = require('node:util');
const { toError } = require('./errors.js');

/** Whoever has it may make prompts and invocations: this file. */
const OURS = Symbol('promptops');
/** The innermost `prompt.call` of what runs. */
const current = new AsyncLocalStorage();
/** How many `prompt.call` are under way; while none is, rendering does not look for one. */
let open = 0;

/** One version of a prompt; see `index.d.ts`. */
class Prompt {
  #native;
  #warn;

  constructor(token, native, warn) {
    if (token !== OURS) throw new TypeError('a prompt is loaded, not made: use `loadPrompt`');
    this.#native = native;
    this.#warn = warn;
    Object.assign(this, JSON.parse(native.facts()));
    freeze(this);
  }

  render(values) {
    return this.#text(values, openInvocation());
  }

  messages(values) {
    return this.#messages(values, openInvocation());
  }

  invocation(facts) {
    const known = {};
    for (const name of CALL_FACTS) known[name] = textOf(facts?.[name]);
    const native = this.#native.invocation(known);
    const renders = {
      render: (values) => this.#text(values, native),
      messages: (values) => this.#messages(values, native),
    };
    return new Invocation(OURS, native, this, renders, this.#warn);
  }

  async call(work, facts) {
    const invocation = this.invocation(facts);
    open += 1;
    try {
      return await current.run(invocation, work, invocation);
    } catch (error) {
      invocation.recordError(errorName(error));
      throw error;
    } finally {
      open -= 1;
      invocation.end();
    }
  }

  equals(other) {
    const isSame = (name) => this[name] === other[name];
    return other instanceof Prompt && ['id', 'version', 'digest'].every(isSame);
  }

  toString() {
    return `<Prompt ${this.id}@${this.version} ${this.digest}>`;
  }

  #text(values, call) {
    const text = this.#native.render(values, call);
    if (typeof text === 'string') return text;
    throw toError(text);
  }

  #messages(values, call) {
    const messages = this.#native.messages(values, call);
    if (Array.isArray(messages)) return messages;
    throw toError(messages);
  }
}

/** One call of a model; see `index.d.ts`. */
class Invocation {
  #native;
  #prompt;
  #renders;
  #warn;

  constructor(token, native, prompt, renders, warn) {
    if (token !== OURS) throw new TypeError('an invocation is begun by `prompt.invocation()` or `prompt.call()`');
    this.#native = native;
    this.#prompt = prompt;
    this.#renders = renders;
    this.#warn = warn;
  }

  static nativeOf(invocation) {
    return invocation.#native;
  }

  render(values) {
    return this.#renders.render(values);
  }

  messages(values) {
    return this.#renders.messages(values);
  }

  record(reply, facts) {
    if (typeof reply === 'string') {
      this.recordText(reply, facts);
      return true;
    }
    const known = answerFacts(facts);
    let isKnown;
    try {
      isKnown = this.#native.record(reply, known);
    } catch {
      // A getter of the reply threw, and recording never does.
      isKnown = this.#native.record(null, known);
    }
    if (!isKnown) this.#warn();
    return isKnown;
  }

  recordText(text, facts) {
    this.#native.recordText(textOf(text) ?? '', answerFacts(facts));
  }

  recordError(error) {
    this.#native.recordError(typeof error === 'string' ? error : errorName(error));
  }

  recordFirstToken() {
    this.#native.recordFirstToken();
  }

  score(name, value) {
    if (typeof value === 'number') this.#native.score(textOf(name) ?? '', value);
  }

  end() {
    this.#native.end();
  }

  get id() {
    return this.#native.id;
  }

  get prompt() {
    return this.#prompt;
  }

  get requestId() {
    return this.#native.requestId ?? null;
  }

  get label() {
    return this.#native.label ?? null;
  }

  get valid() {
    return this.#native.valid ?? null;
  }

  [inspect.custom]() {
    return `<Invocation ${this.id} of ${this.#prompt.id}@${this.#prompt.version}>`;
  }
}

if (Symbol.dispose) {
  Object.defineProperty(Invocation.prototype, Symbol.dispose, {
    value: Invocation.prototype.end,
    configurable: true,
    writable: true,
  });
}

const CALL_FACTS = ['session', 'agent', 'stratum', 'parent', 'traceId', 'spanId'];

/** Makes the prompt that users see of a loaded one. `warn` says what recording has to say. */
function toPrompt(native, warn) {
  return new Prompt(OURS, native, warn);
}

/** The native part of the innermost `prompt.call` of what runs. */
function openInvocation() {
  const invocation = open === 0 ? undefined : current.getStore();
  return invocation === undefined ? undefined : Invocation.nativeOf(invocation);
}

/** What the caller knows of an answer. A value of another type is left out: recording never throws. */
function answerFacts(facts) {
  const { label, valid, costUsd } = facts ?? {};
  return {
    label: textOf(label),
    valid: typeof valid === 'boolean' ? valid : undefined,
    costUsd: typeof costUsd === 'number' ? costUsd : undefined,
  };
}

/** A text, or a number that serves as one; nothing of anything else. */
function textOf(value) {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
}

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

/** Freezes a value and all that it holds. */
function freeze(value) {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) freeze(member);
  }
  Object.freeze(value);
}

module.exports = { Invocation, Prompt, toPrompt };
