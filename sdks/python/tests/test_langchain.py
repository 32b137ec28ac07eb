"""LangChain: a governed prompt in a chain with a real chat model of langchain-core, which answers what a test says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import recorded

pytest.importorskip("langchain_core")

from langchain_core.language_models import GenericFakeChatModel  # noqa: E402
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage  # noqa: E402
from langchain_core.output_parsers import StrOutputParser  # noqa: E402
from langchain_core.prompts import BasePromptTemplate, ChatPromptTemplate  # noqa: E402
from promptops.langchain import GovernedPrompt, RecordingHandler  # noqa: E402

INTENT = "customer-support.intent-classifier"


def answer(text: str) -> AIMessage:
    usage: Any = {
        "input_tokens": 120, "output_tokens": 9, "total_tokens": 129,
        "input_token_details": {"cache_read": 64}, "output_token_details": {"reasoning": 7},
    }  # fmt: skip
    facts = {"model_name": "gpt-5.2", "finish_reason": "stop", "system_fingerprint": "fp_1", "id": "chatcmpl-1"}
    return AIMessage(content=text, usage_metadata=usage, response_metadata=facts)


def model(*texts: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([answer(text) for text in texts]))


@pytest.fixture
def template(locked: promptops.Loader) -> GovernedPrompt:
    return GovernedPrompt(locked.load_prompt(INTENT))


def test_a_chain(template: GovernedPrompt) -> None:
    assert isinstance(template, BasePromptTemplate)
    assert template.input_variables == ["message"] and template.input_types == {"message": str}
    assert template.metadata is not None and template.metadata["promptops_version"] == 2
    system, user = template.invoke({"message": "Where is my {invoice}?"}).to_messages()
    assert isinstance(system, SystemMessage) and isinstance(user, HumanMessage)
    assert user.content == "Where is my {invoice}?", "braces of LangChain mean nothing here"
    assert template.invoke("x").to_messages()[1].content == "x", "of one variable the value alone will do"
    chain = template | model("billing") | StrOutputParser()
    assert chain.invoke({"message": "x"}) == "billing"
    assert asyncio.run((template | model("technical")).ainvoke({"message": "x"})).content == "technical"
    assert template.partial(message="y").invoke({}).to_messages()[1].content == "y"
    assert (template.get_input_schema().model_json_schema()["required"]) == ["message"]
    assert INTENT in template.pretty_repr()
    around = ChatPromptTemplate.from_messages([template, ("user", "Really?")])
    assert [one.content for one in around.format_messages(message="x")][1:] == ["x", "Really?"]


def test_what_is_wrong_is_said(template: GovernedPrompt) -> None:
    with pytest.raises(KeyError, match="missing variables"):
        template.invoke({})
    with pytest.raises(promptops.RenderError, match="must be string"):
        template.invoke({"message": 3})


def test_loading_by_name(locked: promptops.Loader) -> None:
    promptops.configure(lock="promptops.lock")
    assert GovernedPrompt.load(INTENT, 2).prompt == locked.load_prompt(INTENT)


def test_answers_are_recorded(template: GovernedPrompt, tmp_path: Path) -> None:
    handler = RecordingHandler()
    chain = template | model("billing", "technical", "tech nical", "billing")
    config: Any = {"callbacks": [handler]}
    assert chain.invoke({"message": "x"}, config=config).content == "billing"
    assert asyncio.run(chain.ainvoke({"message": "x"}, config=config)).content == "technical"
    assert "".join(str(chunk.content) for chunk in chain.stream({"message": "x"}, config=config)) == "tech nical"
    with template.prompt.invocation(session="s") as call:
        chain.invoke({"message": "x"}, config=config)
    # Of a model without a governed prompt before it nothing is known.
    model("hello").invoke("x", config=config)
    records = recorded(tmp_path)
    assert [record.get("label") for record in records] == ["billing", "technical", None, "billing"]
    first = records[0]
    assert (first["responded_model"], first["input_tokens"], first["cached_tokens"]) == ("gpt-5.2", 120, 64)
    assert (first["output_tokens"], first["reasoning_tokens"], first["finish_reason"]) == (9, 7, "stop")
    assert records[2]["time_to_first_token_ms"] <= records[2]["latency_ms"]
    assert (records[3]["session"], records[3]["invocation_id"]) == ("s", call.id)
    assert "input_hash" in records[3]
    assert not handler._calls and not handler._asked


def test_errors_are_recorded(template: GovernedPrompt, tmp_path: Path) -> None:
    class Broken(GenericFakeChatModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise TimeoutError

    chain = template | Broken(messages=iter([]))
    with pytest.raises(TimeoutError):
        chain.invoke({"message": "x"}, config={"callbacks": [RecordingHandler()]})
    (record,) = recorded(tmp_path)
    assert (record["status"], record["error_type"]) == ("error", "timeout")


def test_chains_side_by_side(template: GovernedPrompt, tmp_path: Path) -> None:
    labels = ["billing", "technical"] * 8
    chains = [template | model(label) for label in labels]
    config: Any = {"callbacks": [RecordingHandler()]}

    async def run() -> None:
        await asyncio.gather(*(chain.ainvoke({"message": "x"}, config=config) for chain in chains))

    asyncio.run(run())
    found = sorted(json.dumps([record["label"], record["valid"]]) for record in recorded(tmp_path))
    assert found == sorted(json.dumps([label, True]) for label in labels)
