'use strict';

const { toError } = require('./errors.js');
const { callFacts, current, errorName, Invocation, openInvocation, toInvocation } = require('./invocation.js');
const { activeSpan } = require('./trace.js');

/** Whoever has it may make prompts: this file. */
const OURS = Symbol('promptops');

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
    const outer = current();
    const native = this.#native.invocation({ ...activeSpan(this), ...callFacts(facts) }, outer && Invocation.nativeOf(outer));
    const renders = {
      render: (values) => this.#text(values, native),
      messages: (values) => this.#messages(values, native),
    };
    return toInvocation(native, this, renders, this.#warn);
  }

  async call(work, facts) {
    const invocation = this.invocation(facts);
    try {
      const answer = await invocation.run(work);
      invocation.end();
      return answer;
    } catch (error) {
      Invocation.nativeOf(invocation).endWithError(errorName(error));
      Invocation.warnerOf(invocation)();
      throw error;
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

/** Makes the prompt that users see of a loaded one. `warn` says what recording has to say. */
function toPrompt(native, warn) {
  return new Prompt(OURS, native, warn);
}

/** Freezes a value and all that it holds. */
function freeze(value) {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) freeze(member);
  }
  Object.freeze(value);
}

module.exports = { Prompt, toPrompt };
