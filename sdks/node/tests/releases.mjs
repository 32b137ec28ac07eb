// A registry in the folder `registry`, written by hand: versions, releases of an environment, locks of them.

import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** JSON with sorted keys and nothing between. What stands here needs no more of RFC 8785. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(',')}}`;
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

export class Registry {
  sequence = 0;
  objects = new Map();

  put(key, text) {
    const path = join('registry', key);
    mkdirSync(dirname(path), { recursive: true });
    // Whole or not at all: others read here meanwhile.
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    this.objects.set(key, text);
  }

  /** Publishes a version and returns its pin. */
  publish(id, version, content = {}) {
    const body = canonical({ model: 'm', template: `${id} ${version}`, ...content });
    const digest = `sha256:${sha256(body)}`;
    const record = canonical({ format: 1, id, version, digest, metadata: { owner: 'o', tags: [] } });
    this.put(`blobs/sha256/${sha256(body)}`, body);
    this.put(`prompts/${id}/${String(version).padStart(10, '0')}.json`, record);
    return { version, digest, record: `sha256:${sha256(record)}` };
  }

  /** Makes a release of prod and returns its number. */
  release(pins) {
    const shards = {};
    for (const [id, pin] of Object.entries(pins)) (shards[sha256(id).slice(0, 2)] ??= {})[id] = pin;
    const named = {};
    for (const [name, prompts] of Object.entries(shards)) {
      const text = canonical({ format: 1, prompts });
      named[name] = `sha256:${sha256(text)}`;
      this.put(`pins/sha256/${sha256(text)}`, text);
    }
    this.sequence += 1;
    const record = { format: 1, environment: 'prod', sequence: this.sequence, pins: named };
    this.put(`environments/prod/${String(this.sequence).padStart(20, '0')}.json`, canonical(record));
    return this.sequence;
  }

  /** Writes promptops.lock. */
  lock(prompts) {
    const release = { environment: 'prod', sequence: this.sequence };
    writeFileSync('promptops.lock', JSON.stringify({ format: 1, registry: 'file://registry', release, prompts }));
  }
}

/** The bucket of a key, computed as docs/reference/rollouts.md says. */
export function bucket(id, candidate, key) {
  return Number(BigInt(`0x${sha256(`promptops-rollout-1\n${id}@${candidate}\n${key}`).slice(0, 15)}`) % 10_000n);
}
