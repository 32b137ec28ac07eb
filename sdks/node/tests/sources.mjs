// The language-neutral vectors, and sources of prompts written from them.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';

export const INTENT = 'customer-support.intent-classifier';

const VECTORS = new URL('../../../spec/vectors/', import.meta.url);

export function vectors(name) {
  const found = JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8'));
  if ((found.cases ?? found.assignments).length === 0) throw new Error(`${name} has no cases`);
  return found;
}

/** The reply of the case of reply.json with this name. */
export function reply(name) {
  return vectors('reply.json').cases.find((one) => one.name === name).reply;
}

/** The events of the case of stream.json with this name. */
export function events(name) {
  return vectors('stream.json').cases.find((one) => one.name === name).events;
}

/**
 * Runs each test of a file in a folder of its own, without the settings of whoever runs it. The folder is removed
 * afterwards.
 */
export function ownFolder({ beforeEach, afterEach }) {
  const before = process.cwd();
  let folder;
  beforeEach(() => {
    for (const name of Object.keys(process.env)) {
      if (/^(PROMPTOPS|AWS|GOOGLE|AZURE|OTEL)_|^XDG_CACHE_HOME$/.test(name)) delete process.env[name];
    }
    folder = mkdtempSync(join(tmpdir(), 'promptops-node-'));
    process.env.HOME = join(folder, 'home');
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });
}

export function writeFiles(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Writes registry, lock, bundle and folder of one case of load.json; see spec/vectors/generate.py. */
export function writeSources(data = vectors('load.json'), one = {}) {
  const all = Object.entries({ ...data.registry, ...one.registry });
  const objects = Object.fromEntries(all.filter(([, text]) => text !== null));
  writeFiles('registry', objects);
  writeFiles('prompts', data.prompts);
  writeFileSync('promptops.lock', JSON.stringify(data.lock));
  const header = { format: 1, registry: data.lock.registry, release: data.lock.release ?? null };
  const entries = { 'bundle.json': JSON.stringify(header) };
  const shards = {};
  for (const [id, pin] of Object.entries(data.lock.prompts)) {
    const shard = createHash('sha256').update(id).digest('hex').slice(0, 2);
    (shards[shard] ??= {})[id] = pin;
  }
  for (const [shard, prompts] of Object.entries(shards)) {
    entries[`pins/${shard}.json`] = JSON.stringify({ format: 1, prompts });
  }
  for (const [key, text] of Object.entries(objects)) {
    const [, id, version] = key.replace(/\.json$/, '').split('/');
    entries[key.startsWith('prompts/') ? `records/${id}/${Number(version)}.json` : key] = text;
  }
  writeFileSync('app.bundle', storedZip(entries));
}

/** A ZIP file whose entries are stored as they are, which is what a bundle is. */
function storedZip(entries) {
  const files = [];
  const directory = [];
  let offset = 0;
  for (const [name, text] of Object.entries(entries)) {
    const [nameBytes, bytes] = [Buffer.from(name), Buffer.from(text)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), common, nameBytes, bytes]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, place, nameBytes]));
    files.push(entry);
    offset += entry.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, central, end]);
}

export function recorded() {
  return readFileSync('calls.jsonl', 'utf8').trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

/** Collects the package's warnings while `work` runs. */
export async function warningsOf(work) {
  const said = [];
  const hear = (warning) => said.push(warning);
  process.on('warning', hear);
  try {
    await work();
    // Node says warnings on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', hear);
  }
  return said.filter((warning) => warning.name === 'PromptOpsWarning').map((warning) => warning.message);
}
