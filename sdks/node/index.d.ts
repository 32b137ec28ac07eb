/// <reference lib="esnext.disposable" />
// Types of the package `promptops`, for ECMAScript modules and CommonJS alike.

/** The version of this package. */
export const version: string;

/**
 * Loads a prompt: the pinned version, or the one that is named.
 *
 * The source is what the environment or {@link configure} says; worker threads share it. The first load of a prompt
 * reads, verifies and compiles it, and **blocks the event loop** while it does: from a bundle or a cache that takes well
 * under a millisecond, from a remote registry as long as the network takes. Use {@link loadPromptAsync} there. After that
 * a load is a look-up, and returns the same object.
 *
 * @throws {PromptOpsError} see its subclasses.
 */
export function loadPrompt(id: string, options?: LoadOptions): Prompt;

/**
 * Loads a prompt as {@link loadPrompt} does, with the reading on a thread of Node's pool: never blocks the event loop.
 *
 * Once it has resolved, `loadPrompt` of the same id returns at once.
 */
export function loadPromptAsync(id: string, options?: LoadOptions): Promise<Prompt>;

/**
 * Sets where {@link loadPrompt} loads from, for the whole process with its worker threads; prompts that were loaded stay
 * as they are.
 *
 * What is not given comes from the environment. Where any source (bundle, lock, registry, prompts) is given, none is
 * taken from the environment. Without settings the environment is read again. Reads the lock or the bundle's index, and
 * no prompt yet.
 *
 * @throws {ConfigurationError} when a setting cannot be used; what was set before then stays.
 */
export function configure(settings?: Settings): void;

/**
 * Asks the registry for the next release of the environment that {@link loadPrompt} follows, now. Resolves to whether what is
 * used changed; to false where no environment is followed.
 *
 * Rejects with a {@link PromptOpsError}; what was known is then used on.
 */
export function refresh(): Promise<boolean>;

/**
 * Has every recorded invocation of `loadPrompt`'s prompts delivered. **Blocks** until that is done, for some seconds at most where a
 * server does not answer; use {@link flushAsync} where the event loop must run on.
 */
export function flush(): void;

/** As {@link flush}, and waits on a thread of Node's pool. */
export function flushAsync(): Promise<void>;

/** How many invocations of `loadPrompt`'s prompts could not be recorded, or not in full. */
export function dropped(): number;

/** The innermost {@link Prompt.call} or {@link Invocation.run} of what runs, or null. */
export function currentInvocation(): Invocation | null;

/**
 * Makes a client record by itself, and returns it.
 *
 * Every call of a model that is made with it inside of {@link Prompt.call} or {@link Invocation.run} is recorded: the reply or
 * the stream, the model that was asked for, the error. The first call is the invocation itself; each further one is an
 * invocation of its own with the first as its parent. Outside of an invocation, and for everything that is no call of a model,
 * the client does what it did before. Copies made by `withOptions` record too; wrapping twice does nothing more.
 *
 * Takes the clients of `openai` (chat completions and responses), `@anthropic-ai/sdk` (messages), with their subclasses as
 * `AzureOpenAI`, and of `@aws-sdk/client-bedrock-runtime` (ConverseCommand and ConverseStreamCommand).
 *
 * @throws {TypeError} for anything else. Afterwards recording never throws; what it fails at is counted by {@link dropped}.
 */
export function wrap<Client extends object>(client: Client): Client;

/** Which version to load, and for whom. */
export interface LoadOptions {
  /** A version by its number, from 1; the pinned version where it is left out. */
  readonly version?: number | undefined;
  /**
   * Who must always get the same version while a rollout of the prompt is under way, as the id of a user or a session. Without
   * a key, and with an empty one, the control's version is loaded.
   */
  readonly key?: string | number | bigint | undefined;
}

/** Where prompts come from and where invocations go. The README says what the environment sets in their place. */
export interface Settings {
  /** A bundle: one file with a lock and everything in it. Needs no network. */
  readonly bundle?: string | URL | undefined;
  /** A lock file, which pins versions of a registry. */
  readonly lock?: string | URL | undefined;
  /** URL of the registry, in place of the lock's own. */
  readonly registry?: string | undefined;
  /** A folder of prompt files, for development. */
  readonly prompts?: string | URL | undefined;
  /** An environment of the registry whose releases are followed. */
  readonly follow?: string | undefined;
  /**
   * After how many seconds the registry is asked for the next release, by the first load that comes; it does not wait. 60 where
   * it is left out.
   */
  readonly refreshSeconds?: number | undefined;
  /**
   * How old, by the wall clock, what is known of the environment may be before a load waits for the registry, for a few seconds
   * at most. 600 where it is left out.
   */
  readonly maxStaleSeconds?: number | undefined;
  /** Whether a load throws when it is older and the registry does not answer; otherwise what is known is used on. */
  readonly refuseStale?: boolean | undefined;
  /** Whether only pinned versions load; where it is left out, true for a bundle, a lock and a followed environment. */
  readonly strict?: boolean | undefined;
  /** Folder for what came from a remote registry. */
  readonly cache?: string | URL | undefined;
  /** Environment that is recorded with invocations. */
  readonly environment?: string | undefined;
  /** Service that is recorded with invocations. */
  readonly service?: string | undefined;
  /** File that invocations are appended to as JSON lines. */
  readonly invocations?: string | URL | undefined;
  /** Whether invocations are written to standard output in CloudWatch's embedded metric format. */
  readonly emf?: boolean | undefined;
  /**
   * Where invocations are sent besides: `emf`, `jsonl:FILE`, `spool:FOLDER`, `https://SERVER` (`promptops serve --record`), `otlp`
   * or `otlp+http://HOST:PORT`. One of them, or several.
   */
  readonly sink?: string | readonly string[] | undefined;
  /** Folder that keeps what a server does not take, until it does. */
  readonly spill?: string | URL | undefined;
}

/** A source of prompts of its own, beside that of {@link loadPrompt}. */
export class Loader {
  /** @throws {ConfigurationError} when a setting cannot be used. */
  constructor(settings?: Settings);
  /** As the function of this name: blocks on the first load of a prompt. */
  loadPrompt(id: string, options?: LoadOptions): Prompt;
  /** As the function of this name: never blocks the event loop. */
  loadPromptAsync(id: string, options?: LoadOptions): Promise<Prompt>;
  /** As the function of this name. */
  refresh(): Promise<boolean>;
  /** As the function of this name: blocks. */
  flush(): void;
  /** As the function of this name. */
  flushAsync(): Promise<void>;
  /** The environment that is followed, or whose release was locked; null before a followed one was seen. */
  get environment(): string | null;
  /** The number of the release that says what is pinned. */
  get release(): number | null;
  /** How many invocations could not be recorded, or not in full. */
  get dropped(): number;
}

/**
 * A value of a variable.
 *
 * A number without a fraction is an integer; a `bigint` is one too, of at most 128 bits. A member that is undefined is
 * left out. Objects are plain ones: members of a `Date`, a `Map` or a promise are not what they hold.
 */
export type TemplateValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue | undefined };

/** Values of variables by their names; one that is undefined is not given. */
export interface Values {
  readonly [name: string]: TemplateValue | undefined;
}

/** One message, as the providers take it. */
export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** One version of a prompt. It is frozen with all that it holds; loading it again gives the same object. */
export class Prompt {
  private constructor();
  /** Name, as `customer-support.intent-classifier`. */
  readonly id: string;
  /** Number of the version, from 1. */
  readonly version: number;
  /** The version this one came from, as `id@version`. */
  readonly parent: string | null;
  /** Team or person that answers for the prompt. */
  readonly owner: string;
  /** What the prompt is for. */
  readonly purpose: string | null;
  /** Model that the prompt was written for, as the provider takes it. */
  readonly model: string;
  /** Parameters of the call, as `temperature`. */
  readonly parameters: Readonly<Record<string, any>>;
  /** Tags, in the written order. */
  readonly tags: readonly string[];
  /** The template of a prompt with `template` or with one message; null where there are several messages. */
  readonly template: string | null;
  /** JSON Schema of each variable. */
  readonly inputs: Readonly<Record<string, any>>;
  /** JSON Schema of the answer, or null. */
  readonly output: any;
  /** Tools offered to the model, as the provider takes them, or null. */
  readonly tools: any;
  /** Figures that the prompt's file states, as `baseline_accuracy`. */
  readonly metrics: Readonly<Record<string, any>>;
  /** For which side of a rollout it was loaded; `unkeyed` where no key was given, null where no rollout is under way. */
  readonly arm: 'control' | 'candidate' | 'unkeyed' | null;
  /** `sha256:` and 64 hexadecimal digits: names the content with everything it includes. */
  readonly digest: string;
  /**
   * Renders to one text. Mappings come in the order of their keys.
   *
   * @throws {RenderError} for a missing, undeclared or wrong value, and for a prompt with several messages.
   * @throws {TypeError} for a value that no template has, as `NaN` or a function; the message says where it stands.
   */
  render(values?: Values): string;
  /**
   * Renders to messages; a template gives one user message.
   *
   * @throws {RenderError} as {@link Prompt.render}.
   * @throws {TypeError} as {@link Prompt.render}.
   */
  messages(values?: Values): Message[];
  /**
   * Begins a call of the model, for use with `using`, or with `try` and `end()` in its `finally`. Latency runs from here.
   *
   * Render with the `messages` and `render` of what it returns, so that the record has the hash of the input.
   *
   * Inside of another invocation, that one is the parent, and session and agent are those of it unless they are given: so the
   * run of an agent is a tree. The trace and the span are those of OpenTelemetry's active span, which gets the attributes
   * `gen_ai.prompt.name`, `gen_ai.prompt.version` and `promptops.prompt.digest`.
   */
  invocation(facts?: CallFacts): Invocation;
  /**
   * Makes a call of the model: begins an invocation, hands it to `work`, and ends it when the promise that `work` returns
   * has settled. An error is recorded and thrown on. What this prompt renders inside of `work`, also after an `await`, is
   * recorded as the input's hash.
   */
  call<T>(work: (call: Invocation) => T | PromiseLike<T>, facts?: CallFacts): Promise<T>;
  /** Says whether another prompt has the same id, version and digest, as two loaders may give. */
  equals(other: unknown): boolean;
  /** `<Prompt id@version digest>`. */
  toString(): string;
}

/** What is known of a call before it is made. */
export interface CallFacts {
  /** Conversation or task that the call is part of. */
  readonly session?: string | undefined;
  /** Agent that makes the call. */
  readonly agent?: string | undefined;
  /** Group of like calls that drift is measured within. */
  readonly stratum?: string | undefined;
  /** The `id` of the invocation that caused this one, where it is not the one that this is begun inside of. */
  readonly parent?: string | undefined;
  /** Trace of OpenTelemetry, 32 hexadecimal digits. */
  readonly traceId?: string | undefined;
  /** Span of OpenTelemetry, 16 hexadecimal digits. */
  readonly spanId?: string | undefined;
}

/** What the caller knows of an answer. */
export interface AnswerFacts {
  /** What the answer says, in one word of the caller's, as a class. */
  readonly label?: string | undefined;
  /** Whether the answer is of the form that was asked for. */
  readonly valid?: boolean | undefined;
  /** Cost of the call, US dollars. */
  readonly costUsd?: number | undefined;
}

/**
 * A call of a model under way. It is recorded once, when it ends, and recording never throws.
 *
 * One that is let go without `end()` is recorded when it is collected, which may be late.
 */
export class Invocation {
  private constructor();
  /** Renders the prompt, and records the hash of what came of it as the input. */
  render(values?: Values): string;
  /** Renders the prompt to messages, and records their hash as the input. */
  messages(values?: Values): Message[];
  /**
   * Does work inside of the invocation and does not end it: what a wrapped client is asked in there is recorded, and what begins in
   * there has this invocation as its parent. For work that {@link Prompt.call} cannot surround.
   */
  run<T>(work: (call: Invocation) => T | PromiseLike<T>): Promise<T>;
  /**
   * Records a stream while it is read, and returns it: `for await (const chunk of call.record(stream))`. It gives the same chunks.
   * Tokens, finish reason and time to first token are recorded as far as it is read; the record waits for its end, also
   * when the invocation has ended. Takes the streams of the official clients, those of their helpers, any other
   * asynchronous iterable of the provider's events, and of Bedrock the reply that holds the stream.
   */
  record<Reply extends AsyncIterable<unknown> | { readonly stream: AsyncIterable<unknown> }>(
    reply: Reply,
    facts?: AnswerFacts,
  ): Reply;
  /**
   * Records the reply: an object of the official clients of OpenAI (chat completions and responses), Anthropic (messages)
   * or Bedrock (converse), the same as parsed JSON, or the answer's text. Latency ends with the first reply.
   *
   * Of anything else only the latency is recorded; the return value says whether the reply was understood. `label` and
   * `valid` are found by themselves where the prompt's `output` has an `enum`. Of a reply that a wrapped client has recorded
   * already, only the facts are added.
   */
  record(reply: unknown, facts?: AnswerFacts): boolean;
  /** Records an answer of which only the text is known, as that of a stream. */
  recordText(text: string, facts?: AnswerFacts): void;
  /** Records that no answer came, and why: what was thrown, or a word as `timeout`. After a reply it changes nothing. */
  recordError(error: unknown): void;
  /** Records that the first token of a stream has come. */
  recordFirstToken(): void;
  /** Records a score of the answer. */
  score(name: string, value: number): void;
  /** Writes the record. What is recorded after that is left out. */
  end(): void;
  /** Ends the invocation where a block with `using` is left. An error that leaves the block is not seen: record it. */
  [Symbol.dispose](): void;
  /** UUIDv7 of the invocation. */
  get id(): string;
  /** The prompt that is called. */
  get prompt(): Prompt;
  /** The provider's id of the reply, once there is one. */
  get requestId(): string | null;
  /** The answer's label, as far as it is known. */
  get label(): string | null;
  /** Whether the answer is of the form that was asked for, as far as it is known. */
  get valid(): boolean | null;
}

/**
 * A prompt could not be loaded or rendered.
 *
 * `process` hears of what works and deserves attention by warnings of the name `PromptOpsWarning`, once each.
 */
export class PromptOpsError extends Error {
  constructor(message: string, code: string, hint?: string | null);
  /** The name that every SDK shares, as `not-found`. */
  readonly code: string;
  /** What to do next, where that is known. It is also the last line of the message. */
  readonly hint: string | undefined;
}

/** No prompt of this name or version is there. Fix the name, or publish and pin it. */
export class PromptNotFoundError extends PromptOpsError {}

/** The version may not be loaded here. Pin it. */
export class NotPinnedError extends PromptOpsError {}

/** Stored bytes are not those that were pinned, or not readable. Find out who changed them. */
export class IntegrityError extends PromptOpsError {}

/** The prompt's file has problems. Fix the file. */
export class InvalidPromptError extends PromptOpsError {}

/** No source of prompts is configured, or it cannot be used. Fix the setting. */
export class ConfigurationError extends PromptOpsError {}

/** The registry did not answer, and the cache has not what was asked for. Try again. */
export class RegistryUnavailableError extends PromptOpsError {}

/** The template did not render with these values. Fix the values or the template. */
export class RenderError extends PromptOpsError {}
