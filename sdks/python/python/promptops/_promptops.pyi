from collections.abc import Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal, final, overload

from ._types import Stream

__all__ = [
    "Invocation",
    "Loader",
    "Prompt",
    "__version__",
    "configure",
    "current_invocation",
    "dropped",
    "end",
    "flush",
    "load_prompt",
    "load_prompt_async",
    "refresh",
]

__version__: str

def load_prompt(id: str, version: int | None = None, *, key: str | int | None = None) -> Prompt:
    """Loads a prompt: the pinned version, or the one that is named.

    While a rollout of the prompt is under way, `key` decides which of its two versions is loaded: the same key always gets the
    same one. Give the id of the user or the session. Without a key, and with an empty one, it is the control's.

    The source is what the environment or `configure` says. The first load of a prompt reads, verifies and compiles it;
    after that a load is a look-up.

    Raises PromptOpsError: see its subclasses.
    """

async def load_prompt_async(id: str, version: int | None = None, *, key: str | int | None = None) -> Prompt:
    """As `load_prompt`, with the reading on a thread: a look-up where the prompt was loaded before."""

def configure(
    *,
    bundle: str | PathLike[str] | None = None,
    lock: str | PathLike[str] | None = None,
    registry: str | None = None,
    prompts: str | PathLike[str] | None = None,
    follow: str | None = None,
    refresh_seconds: float | None = None,
    max_stale_seconds: float | None = None,
    refuse_stale: bool | None = None,
    strict: bool | None = None,
    cache: str | PathLike[str] | None = None,
    environment: str | None = None,
    service: str | None = None,
    invocations: str | PathLike[str] | None = None,
    emf: bool | None = None,
    sink: str | Sequence[str] | None = None,
    spill: str | PathLike[str] | None = None,
) -> None:
    """Sets where `load_prompt` loads from, for the whole process; prompts that were loaded stay as they are.

    What is not given comes from the environment. Where any source (bundle, lock, registry, prompts) is given, none is
    taken from the environment. Without arguments the environment is read again.

    `follow` names an environment of the registry whose releases are followed. The first load after `refresh_seconds` (60) has
    the registry asked, on a thread that ends with that, and does not wait for it. What is older than `max_stale_seconds` (600,
    by the wall clock) is waited for, for a few seconds at most; when the registry does not answer, the last release that could
    be used is used on, or with `refuse_stale` RegistryUnavailableError is raised.

    `sink` says where invocations are sent besides: `emf`, `jsonl:FILE`, `spool:FOLDER`, `https://SERVER` (`promptops serve --record`),
    `otlp` or `otlp+http://HOST:PORT`; one of them, or several. `spill` is a folder that keeps what a server does not take, until it does.

    Raises ConfigurationError; ValueError when `sink` names no such place.
    """

def refresh() -> bool:
    """Asks the registry for the next release of the environment that `load_prompt` follows, now, and waits for it.

    Returns whether what is used changed; False where no environment is followed.

    Raises PromptOpsError: what was known is then used on.
    """

def flush() -> None:
    """Has every recorded invocation of `load_prompt`'s prompts delivered, and waits for that: for some seconds at most where a server
    does not answer. Other threads run meanwhile.
    """

def end() -> None:
    """Has every loader deliver what it holds. Called at the end of the process, if anything is sent from a queue."""

def dropped() -> int:
    """How many invocations of `load_prompt`'s prompts could not be recorded, or not in full."""

def current_invocation() -> Invocation | None:
    """The innermost invocation whose `with` is open in this thread or task."""

@final
class Loader:
    """A source of prompts of its own, beside that of `load_prompt`. The arguments are those of `configure`."""

    def __new__(
        cls,
        *,
        bundle: str | PathLike[str] | None = None,
        lock: str | PathLike[str] | None = None,
        registry: str | None = None,
        prompts: str | PathLike[str] | None = None,
        follow: str | None = None,
        refresh_seconds: float | None = None,
        max_stale_seconds: float | None = None,
        refuse_stale: bool | None = None,
        strict: bool | None = None,
        cache: str | PathLike[str] | None = None,
        environment: str | None = None,
        service: str | None = None,
        invocations: str | PathLike[str] | None = None,
        emf: bool | None = None,
        sink: str | Sequence[str] | None = None,
        spill: str | PathLike[str] | None = None,
    ) -> Loader: ...
    def load_prompt(self, id: str, version: int | None = None, *, key: str | int | None = None) -> Prompt:
        """As the function of this name."""
    def refresh(self) -> bool:
        """As the function of this name."""
    async def load_prompt_async(self, id: str, version: int | None = None, *, key: str | int | None = None) -> Prompt:
        """As the function of this name."""
    def flush(self) -> None:
        """As the function of this name."""
    @property
    def environment(self) -> str | None:
        """The environment that is followed, or whose release was locked; None before a followed one was seen."""
    @property
    def release(self) -> int | None:
        """The number of the release that says what is pinned."""
    @property
    def dropped(self) -> int:
        """How many invocations could not be recorded, or not in full."""

@final
class Prompt:
    """One version of a prompt. It never changes; equal prompts have equal id, version and digest."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def parent(self) -> str | None:
        """The version this one came from, as `id@version`."""
    @property
    def owner(self) -> str: ...
    @property
    def purpose(self) -> str | None: ...
    @property
    def model(self) -> str: ...
    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the call, as `temperature`. A copy."""
    @property
    def tags(self) -> list[str]:
        """A copy."""
    @property
    def template(self) -> str | None:
        """The template of a prompt with `template` or with one message; None where there are several messages."""
    @property
    def inputs(self) -> dict[str, Any]:
        """JSON Schema of each variable. A copy."""
    @property
    def output(self) -> Any:
        """JSON Schema of the answer, or None. A copy."""
    @property
    def tools(self) -> Any:
        """Tools offered to the model, as the provider takes them, or None. A copy."""
    @property
    def metrics(self) -> dict[str, Any]:
        """A copy."""
    @property
    def arm(self) -> Literal["control", "candidate", "unkeyed"] | None:
        """For which side of a rollout it was loaded; `unkeyed` where no key was given, None where no rollout is under way."""
    @property
    def digest(self) -> str:
        """`sha256:` and 64 hexadecimal digits: names the content with everything it includes."""
    def render(self, **values: Any) -> str:
        """Renders to one text.

        Values are str, int, float, bool, None, and lists, tuples and dicts of them; mappings come in the order of their
        keys.

        Raises RenderError: for a missing, undeclared or wrong value, and for a prompt with several messages.
        """
    def messages(self, **values: Any) -> list[dict[str, str]]:
        """Renders to messages with `role` and `content`; a template gives one user message.

        Raises RenderError.
        """
    def invocation(
        self,
        *,
        session: str | None = None,
        agent: str | None = None,
        stratum: str | None = None,
        parent: str | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
    ) -> Invocation:
        """Begins a call of the model, for use with `with` or `async with`.

        `parent` is the `id` of the invocation that caused this one. Inside of another invocation's `with` it is that one, and
        session and agent are those of it unless they are given: so the run of an agent is a tree. The trace and the span
        are those of OpenTelemetry's active span, which gets the attributes `gen_ai.prompt.name`, `gen_ai.prompt.version`
        and `promptops.prompt.digest`.
        """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Invocation:
    """A call of a model under way. It is recorded once, at the end of `with`, and recording never raises.

    Where the answer is a stream that is read after `with` was left, it is recorded when the stream is over. Latency runs from `prompt.invocation()` to the first `record`. What `prompt.messages` or `prompt.render` gave last inside of `with` is recorded
    as a hash. An exception that leaves `with` before `record` is recorded as an error.
    """

    def __enter__(self) -> Invocation: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]: ...
    async def __aenter__(self) -> Invocation: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]: ...
    # A stream is an object too, and comes first.
    @overload
    def record(  # type: ignore[overload-overlap]
        self,
        reply: Stream,
        *,
        label: str | None = None,
        valid: bool | None = None,
        cost_usd: float | None = None,
    ) -> Stream:
        """Records a stream while it is read: `for chunk in call.record(stream)`.

        Returns a stream that gives the same chunks, synchronous or asynchronous, also in `with`. It is recorded as far as it
        was read: tokens, finish reason, time to first token. Of Bedrock's `converse_stream` the whole dict is taken, and
        returned with its `stream` recorded.
        """
    @overload
    def record(
        self,
        reply: object,
        *,
        label: str | None = None,
        valid: bool | None = None,
        cost_usd: float | None = None,
    ) -> bool:
        """Records the reply: a dict or client object of OpenAI, Anthropic or Bedrock, or the answer's text.

        Of anything else only the latency is recorded; the return value says whether the reply was understood. `label` and
        `valid` are found by themselves where the prompt's `output` has an `enum`. Of a reply that a wrapped client has
        recorded already, only what is named here is added.
        """
    def error(self, error_type: str) -> None:
        """Records that no answer came, and why, as `timeout`."""
    def first_token(self) -> None:
        """Records that the first token of a stream has come."""
    def score(self, name: str, value: float) -> None:
        """Records a score of the answer."""
    def _is_asked(self) -> bool: ...
    def _begin_request(self, model: str | None) -> Invocation: ...
    def _answer(self, reply: object) -> bool: ...
    def _answer_unseen(self) -> None: ...
    def _fail(self, error: BaseException) -> None: ...
    def _begin_stream(self, head: object) -> None: ...
    def _event(self, event: object) -> None: ...
    def _end_stream(self, error: BaseException | None = None) -> None: ...
    def _swallow(self) -> None: ...
    @property
    def id(self) -> str:
        """UUIDv7 of the invocation."""
    @property
    def prompt(self) -> Prompt: ...
    @property
    def request_id(self) -> str | None:
        """The provider's id of the reply, once there is one."""
    @property
    def label(self) -> str | None: ...
    @property
    def valid(self) -> bool | None: ...
