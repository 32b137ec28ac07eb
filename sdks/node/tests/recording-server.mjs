// A server that records, run by the real command, and the lake that it brings records to.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

// Read before `ownFolder` clears the environment of each test.
export const COMMAND = process.env.PROMPTOPS_TEST_BINARY;

/** Returns what is true of `happened()` as soon as it is. Takes longer than anything here does on a machine that is busy. */
export async function until(happened, what) {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const found = await happened();
    if (found) return found;
    await new Promise((go) => setTimeout(go, 20));
  }
  throw new Error(`it never came that ${what}`);
}

/** `promptops serve --record` in a folder. It keeps its port when it is ended and started again. */
export class RecordingServer {
  #process;
  #folder;
  port = 0;

  constructor(folder) {
    this.#folder = resolve(folder);
    mkdirSync(this.#folder);
    execFileSync('git', ['init', '--quiet', this.#folder]);
    writeFileSync(join(this.#folder, 'promptops.toml'), '[lake]\nurl = "file://lake"\n');
    this.#run('registry', 'init');
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    // To a file, so that it never waits for a reader.
    const log = openSync(join(this.#folder, 'log.txt'), 'a');
    const options = ['--record', '--read-only', '--trust-loopback', '--listen', `127.0.0.1:${this.port}`];
    this.#process = spawn(COMMAND, ['serve', ...options], { ...this.#place(), stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    const lines = createInterface({ input: this.#process.stdout });
    const ended = once(this.#process, 'exit').then(() => [readFileSync(join(this.#folder, 'log.txt'), 'utf8')]);
    const [line] = await Promise.race([once(lines, 'line'), ended]);
    const listens = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
    if (listens === null) throw new Error(line);
    this.port = Number(listens[1]);
  }

  /** Ends it as whoever runs servers does: what it has is brought to the lake first. */
  async end() {
    if (this.#process === undefined) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill();
    const [code] = await ended;
    this.#process = undefined;
    if (code !== 0) throw new Error(readFileSync(join(this.#folder, 'log.txt'), 'utf8'));
  }

  /** How many records it has acknowledged since it was started. */
  async taken() {
    const metrics = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/^promptops_invocations_recorded_total (\d+)/m.exec(metrics)[1]);
  }

  /** Ends it and returns what the lake has, in the order of the sessions. */
  async calls() {
    await this.end();
    const columns = 'invocation_id, prompt_id, prompt_version, label, service, session';
    const lines = this.#run('query', `select ${columns} from invocations order by session`, '--format', 'json');
    return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async sessions() {
    return (await this.calls()).map((call) => call.session);
  }

  #run(...words) {
    return execFileSync(COMMAND, words, { ...this.#place(), encoding: 'utf8' });
  }

  #place() {
    return { cwd: this.#folder, env: { ...process.env, PROMPTOPS_ACTOR: 'a@example.com' } };
  }
}
