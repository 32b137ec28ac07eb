// One implementation for both kinds of module, so that a process that uses both has one loader and one `PromptOpsError`.
export {
  ConfigurationError,
  IntegrityError,
  InvalidPromptError,
  Invocation,
  Loader,
  NotPinnedError,
  Prompt,
  PromptNotFoundError,
  PromptOpsError,
  RegistryUnavailableError,
  RenderError,
  configure,
  flush,
  loadPrompt,
  loadPromptAsync,
  version,
} from './index.js';
