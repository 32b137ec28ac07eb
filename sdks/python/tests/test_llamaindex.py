"""LlamaIndex: a governed prompt as a template of llama-index-core."""

from __future__ import annotations

from typing import Any

import promptops
import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.base.llms.types import MessageRole  # noqa: E402
from llama_index.core.llms import MockLLM  # noqa: E402
from llama_index.core.prompts import BasePromptTemplate  # noqa: E402
from llama_index.core.response_synthesizers import get_response_synthesizer  # noqa: E402
from llama_index.core.schema import NodeWithScore, TextNode  # noqa: E402
from promptops.llamaindex import GovernedPrompt  # noqa: E402

INTENT = "customer-support.intent-classifier"
QA = "id: qa\nversion: 1\nowner: o\nmodel: m\ntags: []\ninputs: {context_str: {}, query_str: {}}\n"


@pytest.fixture
def template(locked: promptops.Loader) -> GovernedPrompt:
    return GovernedPrompt(locked.load_prompt(INTENT))


def test_a_template(template: GovernedPrompt) -> None:
    assert isinstance(template, BasePromptTemplate)
    assert template.template_vars == ["message"] and template.metadata["promptops_prompt"] == INTENT
    system, user = template.format_messages(message="Where is {it}?", more="is left out")
    assert (system.role, user.role, user.content) == (MessageRole.SYSTEM, MessageRole.USER, "Where is {it}?")
    assert template.format(message="x").endswith("user: x\nassistant: ")
    assert template.partial_format(message="y").format_messages()[1].content == "y"
    assert template.kwargs == {}
    mapped = GovernedPrompt(template.prompt, template_var_mappings={"query_str": "message"})
    assert mapped.format_messages(query_str="z")[1].content == "z"
    with pytest.raises(promptops.RenderError, match="required variables are missing: `message`"):
        template.format_messages()
    assert INTENT in template.get_template()


@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_a_response_synthesizer_asks_with_it(tmp_path: Any) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "qa.yaml").write_text(QA + "template: 'By {{ context_str }}: {{ query_str }}'\n")
    promptops.configure(prompts=tmp_path / "prompts")
    synthesizer = get_response_synthesizer(llm=MockLLM(), text_qa_template=GovernedPrompt.load("qa"))
    nodes = [NodeWithScore(node=TextNode(text="The sky is blue."), score=1.0)]
    # The mock answers what it was asked.
    answer = str(synthesizer.synthesize("What colour is the sky?", nodes=nodes))
    assert "By The sky is blue.: What colour is the sky?" in answer
