"""Governed prompts in LlamaIndex: `pip install promptops[llamaindex]`.

    from promptops.llamaindex import GovernedPrompt

    template = GovernedPrompt.load("customer-support.answer")
    engine = index.as_query_engine(text_qa_template=template)

The template is the prompt's own, rendered and checked by PromptOps; LlamaIndex's template syntax plays no part in it.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms.generic_utils import messages_to_prompt
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.prompts import BasePromptTemplate, PromptType

from . import Prompt, load_prompt

__all__ = ["GovernedPrompt"]


class GovernedPrompt(BasePromptTemplate):
    """A prompt template of LlamaIndex that renders a governed prompt.

    Mappings of variables and functions, partial formatting and output parsers work as in LlamaIndex's own templates.
    LlamaIndex gives a template every variable that it has; those that the prompt does not declare are left out.
    """

    prompt: Prompt
    """The prompt that is rendered."""

    def __init__(self, prompt: Prompt, *, prompt_type: str = PromptType.CUSTOM, **more: Any) -> None:
        metadata = {
            "prompt_type": prompt_type,
            "promptops_prompt": prompt.id,
            "promptops_version": prompt.version,
            "promptops_digest": prompt.digest,
        }
        fields: dict[str, Any] = {"output_parser": None, "kwargs": {}, "template_vars": list(prompt.inputs)}
        super().__init__(**{**fields, "prompt": prompt, "metadata": metadata, **more})

    @classmethod
    def load(cls, id: str, version: int | None = None, **more: Any) -> GovernedPrompt:
        """Loads the prompt as `promptops.load_prompt` does."""
        return cls(load_prompt(id, version), **more)

    def partial_format(self, **kwargs: Any) -> GovernedPrompt:
        """Returns a template of which some variables have their values."""
        return self.model_copy(update={"kwargs": {**self.kwargs, **kwargs}})

    def format(self, llm: Any = None, **kwargs: Any) -> str:
        """Renders to one text: of a prompt with several messages, all of them with their roles. Raises promptops.RenderError."""
        messages = self._messages(**kwargs)
        text = str(messages[0].content) if len(messages) == 1 else messages_to_prompt(messages)
        return self.output_parser.format(text) if self.output_parser is not None else text

    def format_messages(self, llm: Any = None, **kwargs: Any) -> list[ChatMessage]:
        """Renders to messages. Raises promptops.RenderError."""
        messages = self._messages(**kwargs)
        return self.output_parser.format_messages(messages) if self.output_parser is not None else messages

    def get_template(self, llm: Any = None) -> str:
        """The template of the prompt; where it has several messages, its name."""
        return self.prompt.template or repr(self.prompt)

    def _messages(self, **kwargs: Any) -> list[ChatMessage]:
        mapped = self._map_all_vars({**self.kwargs, **kwargs})
        declared = self.prompt.inputs
        values = {name: value for name, value in mapped.items() if name in declared}
        rendered = self.prompt.messages(**values)
        return [ChatMessage(role=MessageRole(one["role"]), content=one["content"]) for one in rendered]
