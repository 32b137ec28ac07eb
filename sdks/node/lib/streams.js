'use strict';

const { errorName } = require('./error-name.js');

/** Streams that are recorded, with what records them. */
const recorded = new WeakSet();
/** What the clients' helpers for streams call the events of the provider that they hand on. */
const HELPER_EVENTS = ['streamEvent', 'chunk', 'event'];

/**
 * Records an answer that comes in events while it is read, if `reply` is one: a stream, or a reply of Bedrock that holds one.
 * The stream is changed in place and gives what it gave.
 */
function recordStreams(call, reply, warn) {
  if (typeof reply !== 'object' || reply === null) return false;
  try {
    if (isStream(reply)) {
      recordStream(requestOf(call, reply), reply, headOf(reply), warn);
      return true;
    }
    if (typeof reply.stream === 'object' && reply.stream !== null && isStream(reply.stream)) {
      recordStream(requestOf(call, reply.stream), reply.stream, headOf(reply), warn);
      return true;
    }
  } catch {
    call.swallow();
  }
  return false;
}

/** The first stream is the answer of the invocation; further ones are calls within it. */
function requestOf(call, stream) {
  return !recorded.has(stream) && call.isAsked() ? call.beginRequest(undefined) ?? call : call;
}

function isStream(value) {
  return typeof value[Symbol.asyncIterator] === 'function' || (typeof value[Symbol.iterator] === 'function' && typeof value.next === 'function');
}

/** What is known beside the events. */
function headOf(reply) {
  const id = reply._request_id ?? reply.request_id;
  return { $metadata: reply.$metadata, _request_id: typeof id === 'string' ? id : undefined };
}

function recordStream(call, stream, head, warn) {
  if (recorded.has(stream)) return;
  recorded.add(stream);
  call.beginStream(JSON.stringify(head));
  const watcher = watcherOf(call, warn);
  if (typeof stream.on === 'function' && typeof stream.abort === 'function') {
    // A helper, which reads by itself and hands on what it read.
    for (const name of HELPER_EVENTS) stream.on(name, watcher.event);
    stream.on('end', () => watcher.end(stream.errored ? 'stream_error' : undefined));
  } else if (typeof stream.next === 'function') {
    watch(stream, watcher);
  } else {
    // The streams of OpenAI and Anthropic make all iterators, also those of `tee`, in one place.
    const source = typeof stream.iterator === 'function' ? 'iterator' : Symbol.asyncIterator;
    const original = stream[source];
    const replaced = function replaced(...args) {
      return watch(original.apply(this, args), watcher);
    };
    Object.defineProperty(stream, source, { value: replaced, configurable: true, writable: true });
  }
}

/** Records events. Whatever goes wrong is counted and not thrown. */
function watcherOf(call, warn) {
  const quietly = (act) => (value) => {
    try {
      act(value);
    } catch {
      call.swallow();
    }
  };
  return {
    event: quietly((event) => call.recordEvent(JSON.stringify(event) ?? 'null')),
    end: quietly((name) => {
      call.endStream(name);
      warn();
    }),
  };
}

/** Changes an iterator so that what it gives is recorded. */
function watch(iterator, { event, end }) {
  const taken = (result, isLast) => {
    if (isLast || result?.done) end();
    else event(result?.value);
    return result;
  };
  const broken = (error) => {
    end(errorName(error));
    throw error;
  };
  for (const [name, isLast] of [['next', false], ['return', true], ['throw', true]]) {
    const original = iterator[name];
    if (typeof original !== 'function') continue;
    const replaced = (...args) => {
      let result;
      try {
        result = original.apply(iterator, args);
      } catch (error) {
        return broken(error);
      }
      if (typeof result?.then !== 'function') return taken(result, isLast);
      return result.then((result) => taken(result, isLast), broken);
    };
    Object.defineProperty(iterator, name, { value: replaced, configurable: true, writable: true });
  }
  return iterator;
}

module.exports = { recordStream, recordStreams };
