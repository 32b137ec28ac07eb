"""A support desk's agent: it sorts messages, and asks how urgent those are that a team must finish.

Every prompt comes from `promptops mcp`, so it gets what is released and nothing else. What it does with one message is a tree of
invocations: the urgency is asked because of what the triage said.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import Implementation

MESSAGES = [
    "I was charged twice for March.",
    "The calendar stays blank since the outage, nobody can work.",
    "Thank you, your colleague was a great help!",
]
SERVER = StdioServerParameters(command="promptops", args=["mcp", "--env", "dev", "--invocations", "invocations.jsonl"])


def complete(url: str, prompt: dict[str, Any], messages: list[dict[str, str]]) -> dict[str, Any]:
    """One call of a chat completion endpoint, without an SDK."""
    body = {"model": prompt["model"], "messages": messages, **prompt["parameters"]}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


async def ask(client: Client, url: str, name: str, arguments: dict[str, str], parent: str | None = None) -> tuple[str, str]:
    """Gets a prompt, asks the model, and reports what came of it. Returns the answer and the id of the invocation."""
    got = await client.get_prompt(name, arguments, meta={"promptops/parent": parent} if parent else None)
    prompt, invocation = got.meta["promptops/prompt"], got.meta["promptops/invocation"]
    # MCP has no system messages; their role is said beside them.
    messages = [
        {"role": (message.content.meta or {}).get("promptops/role", message.role), "content": message.content.text}
        for message in got.messages
    ]
    reply = await asyncio.to_thread(complete, url, prompt, messages)
    answer = reply["choices"][0]["message"]["content"].strip()
    outcome = {
        "invocation": invocation,
        "label": answer,
        "valid": answer in prompt["output"]["enum"],
        "model": reply["model"],
        "input_tokens": reply["usage"]["prompt_tokens"],
        "output_tokens": reply["usage"]["completion_tokens"],
    }
    reported = await client.call_tool("report_outcome", outcome)
    if reported.is_error:
        raise RuntimeError(reported.content[0].text)
    return answer, invocation


async def run(url: str) -> None:
    async with Client(SERVER, client_info=Implementation(name="desk-agent", version="1")) as client:
        for message in MESSAGES:
            team, root = await ask(client, url, "desk.triage", {"message": message})
            line = team
            if team != "other":
                urgency, _ = await ask(client, url, "desk.urgency", {"message": message, "team": team}, parent=root)
                line = f"{team}, {urgency}"
            print(f"{line:<18} {message}")


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
