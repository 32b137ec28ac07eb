'use strict';

const { errorName } = require('./error-name.js');
const { current, Invocation } = require('./invocation.js');
const { recordStream } = require('./streams.js');

/** What is set on a client that is wrapped. */
const MARK = Symbol('promptops: this client is wrapped');
/** Calls of models, by how their paths end. */
const PATHS = ['/chat/completions', '/responses', '/messages'];

/** See `index.d.ts`. */
function wrap(client) {
  if (client?.[MARK]) return client;
  if (typeof client?.request === 'function' && typeof client.withOptions === 'function') {
    hide(client, 'request', recordingRequest(client.request));
    const withOptions = client.withOptions;
    // A copy with other options is wrapped as well.
    hide(client, 'withOptions', (...args) => wrap(withOptions.apply(client, args)));
  } else if (typeof client?.send === 'function' && client.config?.serviceId === 'Bedrock Runtime') {
    hide(client, 'send', recordingSend(client.send));
  } else {
    const name = typeof client === 'object' && client !== null ? (client.constructor?.name ?? 'Object') : typeof client;
    throw new TypeError(`a client of openai, @anthropic-ai/sdk or @aws-sdk/client-bedrock-runtime can be wrapped, not ${name}`);
  }
  hide(client, MARK, true);
  return client;
}

/** Sets a member that is not enumerable, as a method of a class is not. */
function hide(client, name, value) {
  Object.defineProperty(client, name, { value, configurable: true, writable: true, enumerable: false });
}

/**
 * The method that all calls of OpenAI's and Anthropic's clients go through, and all their helpers. It returns a promise with
 * methods of its own, whose parts are therefore changed and not the promise.
 */
function recordingRequest(request) {
  return function recordedRequest(options, ...rest) {
    const invocation = current();
    if (invocation === undefined) return request.call(this, options, ...rest);
    const asked = new Request(invocation);
    // Options may be a promise, and are complete just before the request is sent.
    const known = Promise.resolve(options).then((options) => {
      asked.begin(() => (isCall(options) ? { model: options.body?.model } : undefined));
      return options;
    });
    const promise = request.call(this, known, ...rest);
    asked.quietly(() => follow(promise, asked));
    return promise;
  };
}

function isCall({ method, path }) {
  const [place] = String(path).split('?');
  return String(method).toLowerCase() === 'post' && PATHS.some((end) => place.endsWith(end));
}

function follow(promise, asked) {
  const { parseResponse, asResponse } = promise;
  promise.responsePromise.then(undefined, (error) => asked.fail(error));
  let isParsed = false;
  promise.parseResponse = async function parsedAndRecorded(...args) {
    isParsed = true;
    let reply;
    try {
      reply = await parseResponse.apply(this, args);
    } catch (error) {
      asked.fail(error);
      throw error;
    }
    asked.answer(reply, { isStream: args[1]?.options?.stream, headers: args[1]?.response?.headers });
    return reply;
  };
  promise.asResponse = async function responseOfRecorded() {
    const response = await asResponse.call(promise);
    // The caller reads the body by other means, unless it is parsed too.
    if (!isParsed) asked.quietly((call) => call.recordUnseen());
    return response;
  };
}

/** The method that all calls of AWS's clients go through. */
function recordingSend(send) {
  return function recordedSend(command, ...rest) {
    const invocation = current();
    // With a callback there is no promise, and what it is given is the caller's.
    const isOurs = invocation !== undefined && isConverse(command) && typeof rest.at(-1) !== 'function';
    if (!isOurs) return send.call(this, command, ...rest);
    const asked = new Request(invocation);
    asked.begin(() => ({ model: command.input.modelId }));
    return send.call(this, command, ...rest).then(
      (reply) => {
        asked.answer(reply, { isStream: reply?.stream !== undefined });
        return reply;
      },
      (error) => {
        asked.fail(error);
        throw error;
      },
    );
  };
}

/** Says whether a command is Converse or ConverseStream, also where a bundler has renamed their classes. */
function isConverse(command) {
  const input = command?.input;
  if (typeof input?.modelId !== 'string') return false;
  return /^Converse(Stream)?Command$/.test(command.constructor?.name) || Array.isArray(input.messages);
}

/** A request of a wrapped client. Whatever goes wrong while it is recorded is counted and not thrown. */
class Request {
  #invocation;
  /** The native invocation that the request is, once it is known to be a call of a model. */
  #call;

  constructor(invocation) {
    this.#invocation = invocation;
  }

  begin(read) {
    const native = Invocation.nativeOf(this.#invocation);
    try {
      const asked = read();
      if (asked === undefined) return;
      const model = typeof asked.model === 'string' ? asked.model : undefined;
      this.#call = native.beginRequest(model) ?? native;
    } catch {
      native.swallow();
    }
  }

  quietly(act) {
    try {
      act(this.#call ?? { recordUnseen() {} });
    } catch {
      Invocation.nativeOf(this.#invocation).swallow();
    }
  }

  answer(reply, { isStream, headers }) {
    const call = this.#call;
    if (call === undefined) return;
    this.quietly(() => {
      const warn = Invocation.warnerOf(this.#invocation);
      if (isStream) {
        const id = headers?.get?.('x-request-id') ?? headers?.get?.('request-id') ?? undefined;
        recordStream(call, reply.stream ?? reply, { _request_id: id, $metadata: reply.$metadata }, warn);
      } else {
        call.record(reply);
        warn();
      }
    });
  }

  fail(error) {
    this.quietly(() => this.#call?.recordError(errorName(error)));
  }
}

module.exports = { wrap };
