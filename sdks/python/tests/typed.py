"""Checked by mypy and pyright in strict mode, and not run: what users write, with the types that it has.

A line whose comment begins with `wrong` must not be accepted, and no other.
"""

# pyright: strict

from __future__ import annotations

import anthropic
import openai
from typing_extensions import assert_type

import promptops
from promptops import Invocation, Loader, Prompt, load_prompt

prompt = load_prompt("customer-support.intent-classifier")
assert_type(prompt, Prompt)
assert_type((prompt.id, prompt.version, prompt.owner, prompt.model), tuple[str, int, str, str])
assert_type((prompt.template, prompt.tags, prompt.digest), tuple[str | None, list[str], str])
assert_type(prompt.render(message="x"), str)
assert_type(prompt.messages(message="x"), list[dict[str, str]])
assert_type(Loader(bundle="app.bundle").load_prompt("a.b", version=2), Prompt)

client = promptops.wrap(openai.OpenAI())
assert_type(client, openai.OpenAI)
assert_type(promptops.wrap(anthropic.AsyncAnthropic()), anthropic.AsyncAnthropic)


def ask(text: str) -> str | None:
    with prompt.invocation(session="s") as call:
        assert_type(call, Invocation)
        reply = client.chat.completions.create(model=prompt.model, messages=[{"role": "user", "content": text}])
        assert_type(call.record(reply, cost_usd=0.1), bool)
        assert_type(call.record("billing"), bool)
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        for chunk in call.record(stream):
            assert_type(chunk.choices[0].delta.content, str | None)
        assert_type(call.request_id, str | None)
        return call.label


async def ask_later(later: anthropic.AsyncAnthropic) -> None:
    loaded = await promptops.load_prompt_async("a.b")
    assert_type(loaded, Prompt)
    async with loaded.invocation() as call:
        assert_type(call, Invocation)
        stream = await later.messages.create(model="m", max_tokens=1, messages=[], stream=True)
        async for event in call.record(stream):
            print(event.type)
    assert_type(promptops.current_invocation(), Invocation | None)
    assert_type(promptops.dropped(), int)


try:
    load_prompt("a.b")
except promptops.PromptOpsError as error:
    assert_type((error.code, error.hint), tuple[str, str | None])

prompt.model = "other"  # wrong: a prompt is frozen
load_prompt(3)  # wrong: an id is a string
Loader(lok="promptops.lock")  # wrong: there is no such setting
