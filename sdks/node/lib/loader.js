'use strict';

const { fileURLToPath } = require('node:url');
const { toError } = require('./errors.js');
const native = require('./native.js');
const { toPrompt } = require('./prompt.js');

/** The settings, and what each is made of. */
const SETTINGS = {
  bundle: path,
  lock: path,
  registry: text,
  prompts: path,
  strict: truth,
  cache: path,
  environment: text,
  service: text,
  invocations: path,
  emf: truth,
};

/** A source of prompts; see `index.d.ts`. */
class Loader {
  #native;
  /** What was loaded, by what was asked for. The native part says whether it is still current. */
  #prompts = new Map();
  #warn = () => {
    for (const warning of this.#native.takeWarnings()) process.emitWarning(warning, 'PromptOpsWarning');
  };

  constructor(settings) {
    if (settings === OF_PROCESS) {
      this.#native = native.Loader.ofProcess();
      warnOfProcess = this.#warn;
    } else {
      this.#native = succeeded(native.Loader.open(given(settings)));
      this.#warn();
    }
  }

  loadPrompt(id, options) {
    const version = versionOf(id, options);
    return this.#kept(id, version) ?? this.#keep(id, version, this.#native.load(id, version));
  }

  async loadPromptAsync(id, options) {
    const version = versionOf(id, options);
    return this.#kept(id, version) ?? this.#keep(id, version, await this.#native.loadAsync(id, version));
  }

  flush() {
    this.#native.flush();
  }

  get dropped() {
    return this.#native.dropped;
  }

  #kept(id, version) {
    const key = this.#native.kept(id, version);
    if (key === null) return undefined;
    const known = this.#prompts.get(asked(id, version));
    return known?.key === key ? known.prompt : undefined;
  }

  /** Takes what the native part loaded. The same content is the same object, however it was asked for. */
  #keep(id, version, loaded) {
    this.#warn();
    const prompt = succeeded(loaded);
    const { key } = prompt;
    const same = [...this.#prompts.values()].find((known) => known.key === key);
    const known = same ?? { key, prompt: toPrompt(prompt, this.#warn) };
    this.#prompts.set(asked(id, version), known);
    return known.prompt;
  }
}

const OF_PROCESS = Symbol('the loader of the process');
/** Says what the loader of the process has warned of. */
let warnOfProcess;
const ofProcess = new Loader(OF_PROCESS);

function loadPrompt(id, options) {
  return ofProcess.loadPrompt(id, options);
}

function loadPromptAsync(id, options) {
  return ofProcess.loadPromptAsync(id, options);
}

function configure(settings) {
  const failure = native.Loader.configure(given(settings));
  if (failure) throw toError(failure);
  warnOfProcess();
}

function flush() {
  ofProcess.flush();
}

function dropped() {
  return ofProcess.dropped;
}

/** Returns a result; throws what came in place of one. */
function succeeded(result) {
  if (result.code !== undefined) throw toError(result);
  return result;
}

function asked(id, version) {
  return version === undefined ? id : `${id}@${version}`;
}

/** Reads what `loadPrompt` was given; a name that is none is an error of its own, which the native part has. */
function versionOf(id, options) {
  if (typeof id !== 'string') throw new TypeError(`the id of a prompt is a string, not ${kind(id)}`);
  const version = options?.version ?? undefined;
  if (version === undefined) {
    if (typeof options === 'number') throw new TypeError('a version is given as `{ version }`');
    return undefined;
  }
  if (typeof version !== 'number') throw new TypeError(`a version is a number, not ${kind(version)}`);
  if (!Number.isInteger(version) || version < 0 || version > 0xffff_ffff) {
    throw new RangeError(`a version is a whole number from 1: ${version}`);
  }
  return version;
}

/** Checks settings. A name that is none would be a setting without effect. */
function given(settings) {
  const found = {};
  for (const [name, value] of Object.entries(settings ?? {})) {
    const read = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (read === undefined) {
      throw new TypeError(`there is no setting \`${name}\`; there are ${Object.keys(SETTINGS).join(', ')}`);
    }
    if (value !== undefined && value !== null) found[name] = read(value, name);
  }
  return found;
}

function path(value, name) {
  return value instanceof URL ? fileURLToPath(value) : text(value, name);
}

function text(value, name) {
  if (typeof value !== 'string') throw new TypeError(`the setting \`${name}\` is a string, not ${kind(value)}`);
  return value;
}

function truth(value, name) {
  if (typeof value !== 'boolean') throw new TypeError(`the setting \`${name}\` is true or false, not ${kind(value)}`);
  return value;
}

function kind(value) {
  return value === null ? 'null' : typeof value;
}

module.exports = { Loader, configure, dropped, flush, loadPrompt, loadPromptAsync };
