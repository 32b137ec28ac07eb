"""Prompts on every span of a call: `pip install promptops[opentelemetry]`.

    from promptops.opentelemetry import PromptSpanProcessor

    provider.add_span_processor(PromptSpanProcessor())

Without it, the span that is active when `prompt.invocation()` begins is tagged. With it, so are those that begin inside of the
invocation, as the spans that instrumentations of the model clients make.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from . import current_invocation
from ._trace import DIGEST, NAME, VERSION

__all__ = ["PromptSpanProcessor"]


class PromptSpanProcessor(SpanProcessor):
    """Says on each span that begins inside of an invocation which prompt is called."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Sets `gen_ai.prompt.name`, `gen_ai.prompt.version` and `promptops.prompt.digest`."""
        invocation = current_invocation()
        if invocation is not None:
            prompt = invocation.prompt
            span.set_attributes({NAME: prompt.id, VERSION: str(prompt.version), DIGEST: prompt.digest})
