// Values of variables: what is taken comes through without loss, and what is not says where it stands.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createContext, runInContext } from 'node:vm';

import { Loader, RenderError } from 'promptops';

import { INTENT, ownFolder, writeFiles, writeSources } from './sources.mjs';

ownFolder({ beforeEach, afterEach });

let prompt;
beforeEach(() => {
  const text = 'id: echo\nversion: 1\nowner: o\nmodel: m\ntags: []\ninputs:\n  value: {}\n  other: {default: none}\ntemplate: "{{ value }}|{{ other }}"\n';
  writeFiles('prompts', { 'echo.yaml': text });
  prompt = new Loader({ prompts: 'prompts' }).loadPrompt('echo');
});

const shown = (value) => prompt.render({ value }).slice(0, -'|none'.length);

test('numbers', () => {
  const max = Number.MAX_SAFE_INTEGER;
  for (const [value, text] of [
    [0, '0'],
    [-0, '0'],
    [42, '42'],
    [-7, '-7'],
    [0.1, '0.1'],
    [1e-7, '0.0000001'],
    [max, String(max)],
    [-max, String(-max)],
    [12n, '12'],
    [-(2n ** 63n), String(-(2n ** 63n))],
    [2n ** 64n, String(2n ** 64n)],
    [2n ** 127n - 1n, String(2n ** 127n - 1n)],
  ]) {
    assert.equal(shown(value), text);
  }
  // Above that the neighbours are no longer apart, so it is no integer that anyone wrote.
  assert.equal(Number(shown(2 ** 60)), 2 ** 60);
});

test('texts, and what is nested', () => {
  const text = 'Zoë 山 🙂\0\ufffd';
  assert.equal(shown(text), text);
  assert.equal(shown([1, 'a', [null], true]), "[1, 'a', [None], True]");
  assert.equal(shown({ b: { d: 1, c: [2] }, a: undefined, 10: 'x' }), "{'10': 'x', 'b': {'c': [2], 'd': 1}}");
  assert.equal(shown(Object.assign(Object.create(null), { a: 1 })), "{'a': 1}");
  assert.equal(shown(runInContext('({ a: [1] })', createContext())), "{'a': [1]}", 'an object of another realm');
  assert.equal(shown({ [Symbol('s')]: 1, a: 1 }), "{'a': 1}");
});

test('undefined is not given', () => {
  assert.equal(prompt.render({ value: 1, other: undefined }), '1|none');
  assert.throws(() => prompt.render({ value: undefined }), (error) => error instanceof RenderError && /missing: `value`/.test(error.message));
  assert.throws(() => prompt.render(), RenderError);
  assert.equal(prompt.render({ value: 1, other: null }), '1|None', 'null is a value');
});

test('what no template has is refused with its place', () => {
  class Order {}
  const kinds = 'values must be strings, numbers, bigints, booleans, null, or arrays and plain objects of them, not ';
  for (const [value, reason, place] of [
    [NaN, `${kinds}NaN`, 'value'],
    [[1, -Infinity], `${kinds}-Infinity`, 'value[1]'],
    [{ a: [{ b: () => 1 }] }, `${kinds}a function`, 'value.a[0].b'],
    [Symbol('s'), `${kinds}a symbol`, 'value'],
    [[undefined], `${kinds}undefined`, 'value[0]'],
    [new Date(0), `${kinds}an object of class Date`, 'value'],
    [{ when: new Map() }, `${kinds}an object of class Map`, 'value.when'],
    [Promise.resolve(), `${kinds}an object of class Promise`, 'value'],
    [Buffer.from('x'), `${kinds}an object of class Buffer`, 'value'],
    [new Order(), `${kinds}an object of class Order`, 'value'],
    [2n ** 127n, 'an integer has more than 128 bits', 'value'],
    [['\ud800'], 'a text has half of a surrogate pair', 'value[0]'],
  ]) {
    assert.throws(() => prompt.render({ value }), { name: 'TypeError', message: `${reason}: \`${place}\`` });
  }
  for (const values of ['x', 3, [1], new Map(), () => 1]) assert.throws(() => prompt.render(values), TypeError);
});

test('what is deep or endless is refused', () => {
  const endless = {};
  endless.again = endless;
  assert.throws(() => prompt.render({ value: endless }), /at most 64 deep/);
});

test('what a getter throws is thrown', () => {
  const mine = new Error('mine');
  const value = { get bad() { throw mine; } };
  assert.throws(() => prompt.render({ value }), mine);
  assert.equal(shown(1), '1', 'and nothing is left of it');
});

test('many names and many messages', () => {
  writeSources();
  const messages = new Loader({ lock: 'promptops.lock' }).loadPrompt(INTENT).messages({ message: 'Where is my invoice?' });
  assert.deepEqual(messages.map((message) => message.role), ['system', 'user']);
  assert.equal(messages[1].content, 'Where is my invoice?');
  const rows = Array.from({ length: 200 }, (_, index) => ({ b: index, a: String(index) }));
  assert.equal(shown(rows), `[${rows.map(({ a, b }) => `{'a': '${a}', 'b': ${b}}`).join(', ')}]`);
});
