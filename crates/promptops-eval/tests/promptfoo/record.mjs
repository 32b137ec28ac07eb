// Records what promptfoo says of every configuration beside this file. README.md says how it is called.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entrypoint = process.argv[2];
if (!entrypoint) {
  console.error('usage: node record.mjs …/promptfoo/dist/src/entrypoint.js');
  process.exit(2);
}
const folder = dirname(fileURLToPath(import.meta.url));

// The model answers with what the user said last.
const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { model, messages, logprobs: wanted } = JSON.parse(Buffer.concat(chunks).toString());
    const content = messages.filter((message) => message.role === 'user').at(-1).content;
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
    // The longer a word, the less probable.
    const tokens = content.split(' ').map((token) => ({ token, logprob: -token.length / 10 }));
    const logprobs = wanted ? { content: tokens } : null;
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop', logprobs }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 0, model, choices, usage }));
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const home = mkdtempSync(join(tmpdir(), 'promptfoo-'));
const environment = {
  PATH: process.env.PATH,
  HOME: home,
  OPENAI_API_KEY: 'none',
  OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`,
  PROMPTFOO_CONFIG_DIR: home,
  PROMPTFOO_DISABLE_TELEMETRY: '1',
  PROMPTFOO_DISABLE_UPDATE: '1',
  PROMPTFOO_DISABLE_REMOTE_GENERATION: '1',
};

const run = (config, output) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [entrypoint, 'eval', '-c', config, '--no-cache', '--no-table', '-o', output], {
      cwd: dirname(config),
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('close', (code) => resolve({ code, text }));
  });

for (const name of readdirSync(folder).sort()) {
  const config = join(folder, name, 'promptfooconfig.yaml');
  if (!existsSync(config) || (process.argv[3] && process.argv[3] !== name)) continue;
  const output = join(home, `${name}.json`);
  const { code, text } = await run(config, output);
  if (code !== 0 && code !== 100) throw new Error(`${name}: promptfoo ended with ${code}\n${text}`);
  const { results } = JSON.parse(readFileSync(output, 'utf8')).results;
  const cases = results.map((result) => ({
    provider: result.provider.id,
    prompt: result.prompt.raw,
    pass: result.success,
    score: Number(result.score.toFixed(6)),
    named: Object.fromEntries(Object.entries(result.namedScores).map(([key, value]) => [key, Number(value.toFixed(6))])),
    ...(result.failureReason === 2 ? { error: result.error } : {}),
  }));
  cases.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  writeFileSync(join(folder, name, 'expected.json'), JSON.stringify(cases, null, 1) + '\n');
  console.log(`${name}: ${cases.filter((one) => one.pass).length} of ${cases.length} pass`);
}
server.close();
rmSync(home, { recursive: true, force: true });
