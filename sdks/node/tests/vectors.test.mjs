// The cases that every SDK passes.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { Loader, PromptOpsError, RenderError } from 'promptops';

import { ownFolder, recorded, vectors, warningsOf, writeFiles, writeSources } from './sources.mjs';

const SOURCES = {
  lock: { lock: 'promptops.lock' },
  bundle: { bundle: 'app.bundle' },
  registry: { registry: 'file://registry' },
  folder: { prompts: 'prompts' },
};

ownFolder({ beforeEach, afterEach });

describe('load.json', () => {
  const data = vectors('load.json');
  for (const one of data.cases) {
    for (const how of ['loadPrompt', 'loadPromptAsync']) {
      test(`${how}: ${one.name}`, async () => {
        writeSources(data, one);
        const { id, ...options } = one.load;
        const said = await warningsOf(async () => {
          const loader = new Loader({ ...SOURCES[one.source], strict: one.strict });
          // An error of the synchronous form is a rejection here.
          const load = async () => loader[how](id, options);
          if (one.expect.error) {
            const { code, message, hint } = one.expect.error;
            await assert.rejects(load, (error) => {
              assert.ok(error instanceof PromptOpsError);
              assert.equal(error.code, code);
              assert.ok(error.message.includes(message), error.message);
              assert.ok((error.hint ?? '').includes(hint), error.hint);
              return true;
            });
          } else {
            const prompt = await load();
            const found = Object.fromEntries(Object.keys(one.expect.prompt).map((name) => [name, prompt[name]]));
            assert.deepEqual(found, one.expect.prompt);
            assert.equal(await load(), prompt);
          }
        });
        assert.equal(said.length, one.expect.warnings, said.join());
      });
    }
  }
});

describe('lock.json', () => {
  for (const one of vectors('lock.json').cases) {
    test(one.name, () => {
      writeFileSync('promptops.lock', one.lock);
      const { code, message } = one.expect.error ?? { code: 'not-found', message: '' };
      assert.throws(
        () => new Loader({ lock: 'promptops.lock' }).loadPrompt('nothing.of-this-name'),
        (error) => error instanceof PromptOpsError && error.code === code && error.message.includes(message),
      );
    });
  }
});

describe('render.json', () => {
  const data = vectors('render.json');
  for (const one of data.cases) {
    test(one.name, () => {
      writeFiles('.', data.prompts);
      const prompt = new Loader({ prompts: '.' }).loadPrompt(one.id);
      const values = valuesOf(one);
      const { error, messages, text } = one.expect;
      if (error !== undefined) {
        assert.throws(() => prompt.messages(values), (thrown) => thrown instanceof RenderError && thrown.message.includes(error));
        return;
      }
      assert.deepEqual(prompt.messages(values), messages.map((message) => ({ ...message, content: written(one, message.content) })));
      if (text === undefined) {
        assert.throws(() => prompt.render(values), (thrown) => thrown instanceof RenderError && /2 messages/.test(thrown.message));
      } else {
        assert.equal(prompt.render(values), written(one, text));
      }
    });
  }

  /** JSON.parse rounds an integer that is no number of JavaScript; a caller who has one has a bigint. */
  function valuesOf(one) {
    return one.name === 'a large integer' ? { value: 9007199254740993n } : one.values;
  }

  /** JavaScript has one kind of number, and 2500.0 is 2500. */
  function written(one, text) {
    return one.name === 'a whole fraction' ? text.replace('2500.0', '2500') : text;
  }
});

describe('reply.json', () => {
  for (const one of vectors('reply.json').cases) {
    test(one.name, () => {
      const output = one.output ? `output: ${JSON.stringify(one.output)}\n` : '';
      const text = `id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\n${output}template: Classify.\n`;
      writeFiles('.', { 'classify.yaml': text });
      const prompt = new Loader({ prompts: '.', invocations: 'calls.jsonl' }).loadPrompt('classify');
      const call = prompt.invocation();
      assert.equal(call.record(one.reply), one.known);
      assert.equal(call.requestId, one.request_id);
      call.end();
      const [record] = recorded();
      const found = Object.fromEntries(Object.keys(one.record).map((name) => [name, record[name] ?? null]));
      assert.deepEqual(found, one.record);
    });
  }
});

describe('stream.json', () => {
  for (const one of vectors('stream.json').cases) {
    test(one.name, async () => {
      const text = `id: classify\nversion: 1\nowner: o\nmodel: m\ntags: []\noutput: ${JSON.stringify(one.output)}\ntemplate: Classify.\n`;
      writeFiles('.', { 'classify.yaml': text });
      const prompt = new Loader({ prompts: '.', invocations: 'calls.jsonl' }).loadPrompt('classify');
      // AWS's client for JavaScript has `$metadata` where boto3 has `ResponseMetadata`.
      const { ResponseMetadata, ...head } = one.head;
      const $metadata = ResponseMetadata ? { requestId: ResponseMetadata.RequestId } : head.$metadata;
      async function* events() {
        yield* one.events;
      }
      const reply = $metadata ? { $metadata, stream: events() } : Object.assign(events(), head);
      const call = prompt.invocation();
      assert.equal(call.record(reply), reply);
      const seen = [];
      for await (const event of reply.stream ?? reply) seen.push(event);
      assert.deepEqual(seen, one.events);
      assert.equal(call.requestId, one.request_id);
      call.end();
      const [record] = recorded();
      const found = Object.fromEntries(Object.keys(one.record).map((name) => [name, record[name] ?? null]));
      assert.deepEqual(found, one.record);
      assert.equal(record.time_to_first_token_ms !== undefined, one.first_token !== null);
    });
  }
});
