"""Load governed prompts: pinned, verified, rendered, recorded.

    from promptops import load_prompt

    prompt = load_prompt("customer-support.intent-classifier")
    with prompt.invocation() as call:
        reply = client.messages.create(model=prompt.model, messages=prompt.messages(message=text))
        call.record(reply)
"""

from ._errors import (
    ConfigurationError,
    IntegrityError,
    InvalidPromptError,
    NotPinnedError,
    PromptNotFoundError,
    PromptOpsError,
    PromptOpsWarning,
    RegistryUnavailableError,
    RenderError,
)
from ._promptops import Invocation, Loader, Prompt, __version__, configure, flush, load_prompt, refresh

__all__ = [
    "ConfigurationError",
    "IntegrityError",
    "InvalidPromptError",
    "Invocation",
    "Loader",
    "NotPinnedError",
    "Prompt",
    "PromptNotFoundError",
    "PromptOpsError",
    "PromptOpsWarning",
    "RegistryUnavailableError",
    "RenderError",
    "__version__",
    "configure",
    "flush",
    "load_prompt",
    "refresh",
]
