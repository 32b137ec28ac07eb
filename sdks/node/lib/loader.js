'use strict';

const { fileURLToPath } = require('node:url');
const { isMainThread } = require('node:worker_threads');
const { toError } = require('./errors.js');
const native = require('./native.js');
const { toPrompt } = require('./prompt.js');

/** How many versions of one prompt are kept as objects. */
const MOST_KEPT = 64;

/** The settings, and what each is made of. */
const SETTINGS = {
  bundle: path,
  lock: path,
  registry: text,
  prompts: path,
  follow: text,
  refreshSeconds: seconds,
  maxStaleSeconds: seconds,
  refuseStale: truth,
  strict: truth,
  cache: path,
  environment: text,
  service: text,
  invocations: path,
  emf: truth,
  sink: sinks,
  spill: path,
};

/** A source of prompts; see `index.d.ts`. */
class Loader {
  #native;
  /** What was loaded, by id, the last first. The native part says which of them is current. */
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
    const key = keyOf(options);
    return this.#kept(id, version, key) ?? this.#keep(id, this.#native.load(id, version, key));
  }

  async loadPromptAsync(id, options) {
    const version = versionOf(id, options);
    const key = keyOf(options);
    return this.#kept(id, version, key) ?? this.#keep(id, await this.#native.loadAsync(id, version, key));
  }

  async refresh() {
    const refreshed = await this.#native.refresh();
    this.#warn();
    return typeof refreshed === 'boolean' ? refreshed : succeeded(refreshed);
  }

  get environment() {
    return this.#native.environment;
  }

  get release() {
    return this.#native.release;
  }

  flush() {
    this.#native.flush();
    this.#warn();
  }

  async flushAsync() {
    await this.#native.flushAsync();
    this.#warn();
  }

  get dropped() {
    return this.#native.dropped;
  }

  #kept(id, version, key) {
    const address = this.#native.kept(id, version, key);
    if (address === null) return undefined;
    const known = this.#prompts.get(id);
    if (known === undefined) return undefined;
    for (const one of known) if (one.address === address) return one.prompt;
    return undefined;
  }

  /** Takes what the native part loaded. The same content is the same object, however it was asked for. */
  #keep(id, loaded) {
    this.#warn();
    const prompt = succeeded(loaded);
    const address = prompt.key;
    const known = this.#prompts.get(id) ?? [];
    const same = known.find((one) => one.address === address);
    if (same !== undefined) return same.prompt;
    const one = { address, prompt: toPrompt(prompt, this.#warn) };
    // Of a followed environment old releases leave theirs behind.
    this.#prompts.set(id, [one, ...known].slice(0, MOST_KEPT));
    return one.prompt;
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

function refresh() {
  return ofProcess.refresh();
}

function flush() {
  ofProcess.flush();
}

function flushAsync() {
  return ofProcess.flushAsync();
}

function dropped() {
  return ofProcess.dropped;
}

/** Returns a result; throws what came in place of one. */
function succeeded(result) {
  if (result.code !== undefined) throw toError(result);
  return result;
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

/** Reads the key of a rollout: a text, or a number that serves as one. */
function keyOf(options) {
  const key = options?.key ?? undefined;
  if (key === undefined || typeof key === 'string') return key;
  if (typeof key === 'bigint' || Number.isSafeInteger(key)) return String(key);
  throw new TypeError(`the key of a rollout is a string or a whole number, not ${kind(key)}`);
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

/** Reads where invocations go: one place, or a list of them. */
function sinks(value, name) {
  const listed = typeof value === 'string' ? value.split(/[,\s]+/).filter((one) => one !== '') : value;
  if (!Array.isArray(listed)) throw new TypeError(`the setting \`${name}\` is a string or an array, not ${kind(value)}`);
  for (const one of listed) text(one, name);
  const unknown = native.unknownDestination(listed);
  if (unknown !== null) throw new RangeError(unknown);
  return listed;
}

function truth(value, name) {
  if (typeof value !== 'boolean') throw new TypeError(`the setting \`${name}\` is true or false, not ${kind(value)}`);
  return value;
}

function seconds(value, name) {
  if (typeof value !== 'number') throw new TypeError(`the setting \`${name}\` is a number, not ${kind(value)}`);
  if (!(value >= 0 && value <= 1e9)) throw new RangeError(`the setting \`${name}\` is a number of seconds: ${value}`);
  return value;
}

function kind(value) {
  return value === null ? 'null' : typeof value;
}

// What waits to be sent is delivered before the process ends. Without a loader that sends, this does nothing.
if (isMainThread) process.once('exit', () => native.end());

// Lambda sends it to a function that has extensions, shortly before it ends the environment. Elsewhere whoever runs the process decides
// what the signal means.
if (isMainThread && process.env.AWS_LAMBDA_FUNCTION_NAME && process.listenerCount('SIGTERM') === 0) {
  process.once('SIGTERM', () => {
    native.end();
    // With a listener of somebody else it is theirs to say when the process ends.
    if (process.listenerCount('SIGTERM') === 0) process.kill(process.pid, 'SIGTERM');
  });
}

module.exports = { Loader, configure, dropped, flush, flushAsync, loadPrompt, loadPromptAsync, refresh };
