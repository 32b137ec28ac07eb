'use strict';

/** Where `@opentelemetry/api` 1.x keeps what an application has set up, for all of its copies. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** `@opentelemetry/api`, once an application uses it. */
let api;

/**
 * Says on the active span of OpenTelemetry which prompt is called. Returns its trace and span, if there is one.
 *
 * An application that has not set OpenTelemetry up has no active span, so nothing is loaded for it.
 */
function activeSpan(prompt) {
  if (globalThis[REGISTERED] === undefined) return {};
  try {
    api ??= require('@opentelemetry/api');
    const span = api.trace.getActiveSpan();
    const context = span?.spanContext();
    if (context === undefined || !api.isSpanContextValid(context)) return {};
    span.setAttributes({
      'gen_ai.prompt.name': prompt.id,
      'gen_ai.prompt.version': String(prompt.version),
      // The conventions have no name for it.
      'promptops.prompt.digest': prompt.digest,
    });
    return { traceId: context.traceId, spanId: context.spanId };
  } catch {
    return {};
  }
}

module.exports = { activeSpan };
