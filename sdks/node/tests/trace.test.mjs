// OpenTelemetry: the active span says which prompt is called, and the record says in which span.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Loader } from 'promptops';

import { INTENT, ownFolder, recorded, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

test('the active span is tagged and recorded', async () => {
  writeSources();
  const prompt = new Loader({ lock: 'promptops.lock', invocations: 'calls.jsonl' }).loadPrompt(INTENT);
  await prompt.call((call) => call.recordText('billing'));
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const tracer = trace.getTracer('test');
  const spanId = await tracer.startActiveSpan('ask', async (span) => {
    await prompt.call(async (call) => {
      await prompt.call((inner) => inner.recordText('technical'));
      call.recordText('billing');
    });
    await prompt.call((call) => call.recordText('billing'), { traceId: 'f'.repeat(32), spanId: 'e'.repeat(16) });
    span.end();
    return span.spanContext().spanId;
  });
  const [span] = exporter.getFinishedSpans();
  assert.deepEqual(span.attributes, {
    'gen_ai.prompt.name': INTENT,
    'gen_ai.prompt.version': '2',
    'promptops.prompt.digest': prompt.digest,
  });
  const [before, inner, outer, given] = recorded();
  assert.equal(before.trace_id, undefined);
  for (const record of [inner, outer]) assert.deepEqual([record.trace_id, record.span_id], [span.spanContext().traceId, spanId]);
  assert.deepEqual([given.trace_id, given.span_id], ['f'.repeat(32), 'e'.repeat(16)]);
  assert.equal(inner.parent_invocation, outer.invocation_id);
  await provider.shutdown();
});
