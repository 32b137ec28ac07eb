"""Load governed prompts: pinned, verified, rendered, recorded.

    from promptops import load_prompt

    prompt = load_prompt("customer-support.intent-classifier")
    with prompt.invocation() as call:
        reply = client.messages.create(model=prompt.model, messages=prompt.messages(message=text))
        call.record(reply)

With `client = promptops.wrap(client)` the last line is not needed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._types import Client

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
from ._promptops import (
    Invocation,
    Loader,
    Prompt,
    __version__,
    configure,
    current_invocation,
    dropped,
    flush,
    load_prompt,
    load_prompt_async,
    refresh,
)


def wrap(client: Client) -> Client:
    """Makes a client record by itself, and returns it.

    Every call of a model that is made with it inside of `prompt.invocation()` is recorded: the reply or the stream, the model
    that was asked for, the error. The first call is the invocation itself; each further one is an invocation of its own
    with the first as its parent. Outside of an invocation, and for everything that is no call of a model, the client does what it
    did before. Copies made by `with_options` record too; wrapping twice does nothing more.

    Takes `OpenAI` and `AsyncOpenAI` (chat completions and responses), `Anthropic` and `AsyncAnthropic` (messages), with their
    subclasses as `AzureOpenAI`, and boto3's client of `bedrock-runtime` (converse and converse_stream).

    Raises TypeError for anything else. Afterwards recording never raises; what it fails at is counted by `dropped`.
    """
    from ._wrap import wrap

    return wrap(client)


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
    "current_invocation",
    "dropped",
    "flush",
    "load_prompt",
    "load_prompt_async",
    "refresh",
    "wrap",
]
