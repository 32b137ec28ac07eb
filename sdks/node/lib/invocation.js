'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { inspect } = require('node:util');
const { recordStreams } = require('./streams.js');
const { errorName } = require('./error-name.js');

/** Whoever has it may make invocations: this file. */
const OURS = Symbol('promptops');
/** The innermost `prompt.call` of what runs. */
const storage = new AsyncLocalStorage();
/** How many are under way; while none is, nothing looks for one. */
let open = 0;

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

  /** Says what recording has to say; for what records by itself. */
  static warnerOf(invocation) {
    return invocation.#warn;
  }

  async run(work) {
    open += 1;
    try {
      return await storage.run(this, work, this);
    } finally {
      open -= 1;
    }
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
    this.#native.note(answerFacts(facts));
    if (recordStreams(this.#native, reply, this.#warn)) return reply;
    // A wrapped client has recorded it.
    if (this.#native.isWatched()) return true;
    let isKnown;
    try {
      isKnown = this.#native.record(reply);
    } catch {
      // A getter of the reply threw, and recording never does.
      isKnown = this.#native.record(null);
    }
    if (!isKnown) this.#warn();
    return isKnown;
  }

  recordText(text, facts) {
    this.#native.note(answerFacts(facts));
    if (!this.#native.isWatched()) this.#native.recordText(textOf(text) ?? '');
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
    // A sink says what is wrong while nobody asks; whoever only records hears of it too.
    this.#warn();
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

/** Makes the invocation that users see of a native one. `warn` says what recording has to say. */
function toInvocation(native, prompt, renders, warn) {
  return new Invocation(OURS, native, prompt, renders, warn);
}

/** The innermost invocation of what runs. */
function current() {
  return open === 0 ? undefined : storage.getStore();
}

/** As `current`; what users see. */
function currentInvocation() {
  return current() ?? null;
}

/** The native part of the innermost invocation. */
function openInvocation() {
  const invocation = current();
  return invocation === undefined ? undefined : Invocation.nativeOf(invocation);
}

/** What the caller knows of a call. A value of another type is left out: recording never throws. */
function callFacts(facts) {
  const known = {};
  for (const name of CALL_FACTS) {
    const text = textOf(facts?.[name]);
    if (text !== undefined) known[name] = text;
  }
  return known;
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

module.exports = { Invocation, callFacts, current, currentInvocation, errorName, openInvocation, toInvocation };
