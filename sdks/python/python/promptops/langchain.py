"""Governed prompts in LangChain: `pip install promptops[langchain]`.

    from promptops.langchain import GovernedPrompt, RecordingHandler

    chain = GovernedPrompt.load("customer-support.intent-classifier") | model
    chain.invoke({"message": text}, config={"callbacks": [RecordingHandler()]})

The template is the prompt's own, rendered and checked by PromptOps; LangChain's template syntax plays no part in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.prompts.chat import BaseChatPromptTemplate

from . import Invocation, Prompt, current_invocation, load_prompt

__all__ = ["GovernedPrompt", "RecordingHandler"]

_MESSAGES: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict}
#: Chains that were begun and whose model was not asked: one that failed in between is forgotten after so many others.
_MAX_ASKED = 10_000


class _GovernedValue(ChatPromptValue):
    """What a `GovernedPrompt` renders to: messages that know their prompt."""

    source: Any = None


class GovernedPrompt(BaseChatPromptTemplate):
    """A chat prompt template of LangChain that renders a governed prompt.

    Variables with a default are optional. `metadata` names id, version and digest, so that traces of LangChain have them.
    """

    prompt: Prompt
    """The prompt that is rendered."""

    def __init__(self, prompt: Prompt, *, partial_variables: Mapping[str, Any] | None = None, **more: Any) -> None:
        given = dict(partial_variables or {})
        optional = [name for name, schema in prompt.inputs.items() if isinstance(schema, dict) and "default" in schema]
        fields: dict[str, Any] = {
            "prompt": prompt,
            "input_variables": [name for name in prompt.inputs if name not in optional and name not in given],
            "optional_variables": [name for name in optional if name not in given],
            "input_types": {name: _type(schema) for name, schema in prompt.inputs.items()},
            "partial_variables": given,
            "metadata": {
                "promptops_prompt": prompt.id,
                "promptops_version": prompt.version,
                "promptops_digest": prompt.digest,
            },
        }
        super().__init__(**{**fields, **more})

    @classmethod
    def load(cls, id: str, version: int | None = None) -> GovernedPrompt:
        """Loads the prompt as `promptops.load_prompt` does."""
        return cls(load_prompt(id, version))

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """False: a prompt is loaded from where it is governed."""
        return False

    @property
    def _prompt_type(self) -> str:
        return "promptops"

    def partial(self, **kwargs: Any) -> GovernedPrompt:
        """Returns a template of which some variables have their values."""
        return type(self)(self.prompt, partial_variables={**self.partial_variables, **kwargs}, output_parser=self.output_parser)

    def format_messages(self, **kwargs: Any) -> list[BaseMessage]:
        """Renders to messages. Raises promptops.RenderError."""
        values = self._merge_partial_and_user_variables(**kwargs)
        return [_MESSAGES[one["role"]](content=one["content"]) for one in self.prompt.messages(**values)]

    def format_prompt(self, **kwargs: Any) -> ChatPromptValue:
        """Renders to a prompt value. Raises promptops.RenderError."""
        return _GovernedValue(messages=self.format_messages(**kwargs), source=self.prompt)

    async def aformat_prompt(self, **kwargs: Any) -> ChatPromptValue:
        """As `format_prompt`: rendering waits for nothing."""
        return self.format_prompt(**kwargs)

    def pretty_repr(self, html: bool = False) -> str:
        """The prompt's name, and its template where it has one."""
        return f"{self.prompt!r}\n{self.prompt.template or ''}".rstrip()


class RecordingHandler(BaseCallbackHandler):
    """Records each answer of a chat model in a chain as an invocation of the `GovernedPrompt` before it.

    Inside of `prompt.invocation()` of the same prompt, the first answer is that invocation. One handler serves any number
    of chains and threads. What goes wrong while recording is LangChain's to log, and never raised.
    """

    # In the context of the caller, where the open invocation is.
    run_inline = True

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: OrderedDict[UUID | None, Prompt] = OrderedDict()
        self._calls: dict[UUID, Invocation] = {}

    def on_chain_end(
        self, outputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Remembers which prompt a chain has rendered."""
        if isinstance(outputs, _GovernedValue):
            with self._lock:
                self._asked[parent_run_id] = outputs.source
                while len(self._asked) > _MAX_ASKED:
                    self._asked.popitem(last=False)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Begins the invocation."""
        with self._lock:
            prompt = self._asked.pop(parent_run_id, None)
        if prompt is None:
            return
        current = current_invocation()
        call = current if current is not None and current.prompt == prompt else prompt.invocation()
        model = (kwargs.get("invocation_params") or {}).get("model")
        call = call._begin_request(model if isinstance(model, str) else None)
        with self._lock:
            self._calls[run_id] = call

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Notes the first token of a stream."""
        with self._lock:
            call = self._calls.get(run_id)
        if call is not None and token:
            call.first_token()

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Records the answer."""
        call = self._take(run_id)
        if call is not None:
            call._answer(_reply(response))
            _let_go(call)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Records that there is none, and why."""
        call = self._take(run_id)
        if call is not None:
            call._fail(error)
            _let_go(call)

    def _take(self, run_id: UUID) -> Invocation | None:
        with self._lock:
            return self._calls.pop(run_id, None)


def _let_go(call: Invocation) -> None:
    """Ends an invocation that no `with` of the caller's ends."""
    current = current_invocation()
    if current is None or current.id != call.id:
        call.__exit__(None, None, None)


def _type(schema: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return _TYPES.get(kind, Any) if isinstance(kind, str) else Any


def _reply(response: LLMResult) -> dict[str, Any]:
    """What LangChain says of an answer, in the form of a chat completion: it counts tokens as OpenAI does, cached ones included."""
    generation = response.generations[0][0]
    message = generation.message if isinstance(generation, ChatGeneration) else None
    facts = {**(response.llm_output or {}), **(message.response_metadata if message is not None else {})}
    usage: Mapping[str, Any] = getattr(message, "usage_metadata", None) or {}
    reason = facts.get("finish_reason") or facts.get("stop_reason") or facts.get("stopReason")
    known = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
    calls_tools = bool(getattr(message, "tool_calls", None))
    return {
        "id": facts.get("id") or facts.get("request_id"),
        "model": facts.get("model_name") or facts.get("model"),
        "system_fingerprint": facts.get("system_fingerprint"),
        "choices": [
            {
                "finish_reason": known.get(reason, reason) if isinstance(reason, str) else None,
                "message": {"content": None if calls_tools and not generation.text else generation.text},
            }
        ],
        "usage": {
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
            "prompt_tokens_details": {"cached_tokens": (usage.get("input_token_details") or {}).get("cache_read")},
            "completion_tokens_details": {"reasoning_tokens": (usage.get("output_token_details") or {}).get("reasoning")},
        },
    }
