// Compiled and not run: what users write in TypeScript, and mistakes that the types find.

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import {
  configure, currentInvocation, dropped, flush, Invocation, Loader, loadPrompt, loadPromptAsync, Prompt, PromptOpsError, RenderError, wrap,
} from 'promptops';
import type { AnswerFacts, CallFacts, Message, Settings, TemplateValue, Values } from 'promptops';

const settings: Settings = { lock: new URL('file:///app/promptops.lock'), strict: true, cache: undefined };
configure(settings);
configure();
const loader: Loader = new Loader({ bundle: 'app.bundle' });
const prompt: Prompt = loader.loadPrompt('a.b', { version: 2 });
const later: Promise<Prompt> = loadPromptAsync('a.b');
const following: Settings = { registry: 's3://prompts', follow: 'prod', refreshSeconds: 5, maxStaleSeconds: 60, refuseStale: true };
const side: 'control' | 'candidate' | 'unkeyed' | null = loadPrompt('a.b', { key: 42n }).arm;
const moved: Promise<boolean> = loader.refresh();
const release: [string | null, number | null] = [loader.environment, loader.release];
const known: [string, number, string | null, readonly string[]] = [prompt.id, prompt.version, prompt.template, prompt.tags];

const values: Values = { message: 'x', count: 1n, rows: [{ a: 1, b: undefined }], none: null };
const nested: TemplateValue = [{ a: ['b', { c: true }] }];
const text: string = prompt.render(values);
const messages: Message[] = prompt.messages({ nested });

export async function ask(openai: OpenAI, anthropic: Anthropic): Promise<string | null> {
  const facts: CallFacts = { session: 's', parent: undefined };
  const answer: AnswerFacts = { label: 'billing', costUsd: 0.1 };
  const label = await prompt.call(async (call) => {
    const reply = await openai.chat.completions.create({ model: prompt.model, messages, tools: prompt.tools, ...prompt.parameters });
    const known: boolean = call.record(reply, answer);
    call.recordFirstToken();
    return known ? call.label : null;
  }, facts);
  const sync: number = await prompt.call(() => 1);
  using call: Invocation = prompt.invocation();
  call.record(await anthropic.messages.create({ model: prompt.model, max_tokens: sync, messages: [{ role: 'user', content: text }] }));
  return label;
}

export async function stream(openai: OpenAI, anthropic: Anthropic, bedrock: BedrockRuntimeClient): Promise<void> {
  const wrapped: OpenAI = wrap(openai);
  const [claude, aws]: [Anthropic, BedrockRuntimeClient] = [wrap(anthropic), wrap(bedrock)];
  await prompt.call(async (call) => {
    const ask = { model: prompt.model, max_tokens: 16, messages: [{ role: 'user' as const, content: text }] };
    for await (const chunk of call.record(await wrapped.chat.completions.create({ ...ask, stream: true }))) {
      const part: string | null | undefined = chunk.choices[0]?.delta.content;
      console.log(part);
    }
    for await (const event of call.record(claude.messages.stream(ask))) console.log(event.type);
    const reply = call.record(await aws.send(new ConverseStreamCommand({ modelId: prompt.model })) as { stream: AsyncIterable<object> });
    for await (const event of reply.stream) console.log(event);
  });
  const current: Invocation | null = currentInvocation();
  const lost: number = dropped();
  const answer: number = await prompt.invocation().run(() => lost);
  console.log(current?.id, answer);
}

try {
  loadPrompt('a.b');
} catch (error) {
  if (error instanceof RenderError || error instanceof PromptOpsError) {
    const { code, hint }: { code: string; hint: string | undefined } = error;
    console.error(code, hint, known, await later);
  }
  flush();
}

// @ts-expect-error a setting that does not exist
new Loader({ lok: 'promptops.lock' });
// @ts-expect-error a version is a number
loadPrompt('a.b', { version: '2' });
// @ts-expect-error a prompt is frozen
prompt.model = 'other';
// @ts-expect-error also what it holds
prompt.tags.push('x');
// @ts-expect-error a date is no value
prompt.render({ when: new Date() });
// @ts-expect-error nor is a function
prompt.render({ when: () => 1 });
// @ts-expect-error nor is a promise that was not awaited
prompt.render({ when: later });
// @ts-expect-error a string is no client
wrap('openai');
// @ts-expect-error a prompt is loaded, not made
new Prompt();
