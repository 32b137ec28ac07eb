"""`promptops mcp` as the official Python client sees it: over both transports, by both lifecycles of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# Read before the fixture that clears the environment of each test.
COMMAND = os.environ.get("PROMPTOPS_TEST_BINARY")
if not COMMAND:
    pytest.skip("PROMPTOPS_TEST_BINARY does not say where the command is", allow_module_level=True)

httpx2 = pytest.importorskip("httpx2")
mcp = pytest.importorskip("mcp")
from mcp import Client, MCPError, StdioServerParameters  # noqa: E402
from mcp.client.stdio import stdio_client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from mcp_types import Implementation, PromptReference  # noqa: E402

INTENT = """
id: support.intent
version: 1
owner: support
purpose: Route a message to a team
model: claude-3-5-sonnet
parameters: {temperature: 0}
tags: [classification]
inputs:
  message: {type: string, description: What the customer wrote}
  language: {type: string, enum: [de, en, fr], default: en}
  history: {type: array, items: {type: string}, default: []}
output: {enum: [billing, technical]}
messages:
  - role: system
    content: '{% include "shared.tone@1" %} Answer in {{ language }}.'
  - role: user
    content: '{{ message }}{% for line in history %} / {{ line }}{% endfor %}'
"""
TONE = "id: shared.tone\nversion: 1\nowner: brand\nmodel: any\ntags: [shared]\ntemplate: Be kind.\n"
SECRET = "id: support.unreleased\nversion: 1\nowner: support\nmodel: any\ntags: []\ntemplate: Not yet.\n"
OTHERS = [f"support.topic-{number:02}" for number in range(1, 6)]
TRANSPORTS = [(transport, mode) for transport in ("stdio", "http") for mode in ("legacy", "auto")]
#: Who commits and acts, whatever the machine's Git says.
SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada Example",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Example",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "PROMPTOPS_ACTOR": "ada@example.com",
}
#: Seconds within which a deploy must be told, well above the second that the servers here look every.
SOON = 20


def promptops(folder: Path, *arguments: str) -> str:
    assert COMMAND
    ran = subprocess.run([COMMAND, *arguments], cwd=folder, env={**os.environ, **SETTINGS}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **SETTINGS}, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A change")


def deploy(folder: Path, *arguments: str) -> None:
    promptops(folder, "plan", "--env", "prod", "--out", "plan.json", "--no-text", *arguments)
    promptops(folder, "deploy", "plan.json")


def write(folder: Path, id: str, text: str) -> None:
    path = folder / "prompts" / f"{id.replace('.', '/')}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose prompts are released to prod, but for one."""
    folder = tmp_path_factory.mktemp("released")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "promptops.toml").write_text("[environments.prod]\n[environments.staging]\n")
    write(folder, "shared.tone", TONE)
    write(folder, "support.intent", INTENT)
    for id in OTHERS:
        write(folder, id, f"id: {id}\nversion: 1\nowner: support\nmodel: any\ntags: []\ntemplate: About {id}.\n")
    commit(folder)
    promptops(folder, "registry", "init")
    promptops(folder, "publish")
    deploy(folder)
    write(folder, "support.unreleased", SECRET)
    commit(folder)
    promptops(folder, "publish")
    return folder


@dataclass
class Desk:
    """The project of one test, and clients of its prompts."""

    folder: Path
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def release_second_version(self) -> None:
        text = INTENT.replace("version: 1", "version: 2\nparent: 1").replace("Answer in", "Now answer in")
        write(self.folder, "support.intent", text)
        commit(self.folder)
        promptops(self.folder, "publish")
        deploy(self.folder, "support.intent@2")

    def key(self, scope: str) -> str:
        return promptops(self.folder, "key", "create", "an agent", "--scope", scope).strip()

    def serve(self, *arguments: str) -> str:
        """Starts a server and returns its URL."""
        assert COMMAND
        command = [COMMAND, *arguments, "--listen", "127.0.0.1:0", "--poll", "1", "--invocations", "calls.jsonl"]
        server = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **SETTINGS},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.servers.append(server)
        assert server.stdout
        found = re.search(r"https?://[0-9.:]+", server.stdout.readline())
        assert found, "the server says where it is"
        return f"{found[0]}/mcp"

    def stop(self) -> None:
        for server in self.servers:
            server.terminate()
            server.communicate(timeout=SOON)
            assert server.returncode == 0
        self.servers.clear()

    @asynccontextmanager
    async def connect(self, transport: str, mode: str, **settings: Any) -> AsyncIterator[Client]:
        async with AsyncExitStack() as stack:
            if transport == "stdio":
                arguments = ["mcp", "--env", "prod", "--poll", "1", "--invocations", "calls.jsonl"]
                server = StdioServerParameters(command=COMMAND or "", args=arguments, cwd=self.folder, env=SETTINGS)
                streams: Any = stdio_client(server)
            else:
                url = self.serve("mcp")
                streams = await self.stream(stack, url, self.key("agent:prod"))
            client_info = Implementation(name="desk-agent", version="1")
            yield await stack.enter_async_context(Client(streams, mode=mode, client_info=client_info, **settings))

    async def stream(self, stack: AsyncExitStack, url: str, key: str | None) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=SOON))
        return streamable_http_client(url, http_client=http)

    def recorded(self, name: str = "calls.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@pytest.fixture
def desk(released: Path, tmp_path: Path) -> Iterator[Desk]:
    folder = tmp_path / "project"
    shutil.copytree(released, folder)
    desk = Desk(folder)
    yield desk
    desk.stop()


def each_way(test: Callable[[Desk, str, str], Awaitable[None]]) -> Any:
    """Runs a test over each transport, by each lifecycle."""

    @pytest.mark.parametrize(("transport", "mode"), TRANSPORTS, ids=[f"{way}-{mode}" for way, mode in TRANSPORTS])
    def run(desk: Desk, transport: str, mode: str) -> None:
        asyncio.run(asyncio.wait_for(test(desk, transport, mode), timeout=60))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@each_way
async def test_lists_what_is_released_and_nothing_else(desk: Desk, transport: str, mode: str) -> None:
    async with desk.connect(transport, mode) as client:
        listed = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in listed] == ["shared.tone", "support.intent", *OTHERS]
        intent = listed[1]
        assert intent.description == "Route a message to a team"
        assert {argument.name: argument.required for argument in intent.arguments or []} == {
            "history": False,
            "language": False,
            "message": True,
        }
        described = {argument.name: argument.description for argument in intent.arguments or []}
        assert described["history"] == "As JSON: array. Default: []"
        assert described["language"] == "One of: de, en, fr. Default: en"
        assert intent.meta and intent.meta["promptops/version"] == 1 and intent.meta["promptops/owner"] == "support"


@each_way
async def test_gets_a_prompt_with_typed_arguments(desk: Desk, transport: str, mode: str) -> None:
    async with desk.connect(transport, mode) as client:
        arguments = {"message": "Where is my invoice?", "history": '["Hello", "Hi"]', "language": "fr"}
        got = await client.get_prompt("support.intent", arguments)
        texts = [message.content.text for message in got.messages]  # type: ignore[union-attr]
        assert texts == ["Be kind. Answer in fr.", "Where is my invoice? / Hello / Hi"]
        assert got.messages[0].content.meta == {"promptops/role": "system"}
        prompt = (got.meta or {})["promptops/prompt"]
        assert (prompt["version"], prompt["model"], prompt["parameters"]) == (1, "claude-3-5-sonnet", {"temperature": 0})
        assert prompt["output"] == {"enum": ["billing", "technical"]}


@each_way
async def test_says_which_argument_is_wrong(desk: Desk, transport: str, mode: str) -> None:
    async with desk.connect(transport, mode) as client:
        for arguments, named, saying in [
            ({}, "message", "is missing"),
            ({"message": "x", "history": "not JSON"}, "history", "must be given as JSON"),
            ({"message": "x", "history": "[1]"}, "history", "at `/0`"),
            ({"message": "x", "language": "it"}, "language", 'one of ["de","en","fr"]'),
            ({"message": "x", "mesage": "y"}, "mesage", "it has `history`, `language`, `message`"),
            ({"message": "x" * (5 << 20)}, "message", "larger than"),
        ]:
            with pytest.raises(MCPError) as caught:
                await client.get_prompt("support.intent", arguments)
            assert caught.value.error.code == -32602, arguments
            assert f"`{named}`" in caught.value.error.message and saying in caught.value.error.message
            assert caught.value.error.data == {"argument": named}
        for name, hint in [("support.intnet", "did you mean `support.intent`?"), ("support.unreleased", ""), ("", "")]:
            with pytest.raises(MCPError, match=f"no prompt `{name}` is released here") as caught:
                await client.get_prompt(name)
            assert caught.value.error.code == -32602 and hint in caught.value.error.message
        assert (await client.get_prompt("shared.tone")).messages, "the connection is none the worse"


@each_way
async def test_completes_arguments(desk: Desk, transport: str, mode: str) -> None:
    async with desk.connect(transport, mode) as client:
        reference = PromptReference(type="ref/prompt", name="support.intent")
        for typed, values in [("", ["de", "en", "fr"]), ("E", ["en"]), ("x", [])]:
            completed = await client.complete(reference, {"name": "language", "value": typed})
            assert completed.completion.values == values
        with pytest.raises(MCPError, match="it has `history`, `language`, `message`"):
            await client.complete(reference, {"name": "lang", "value": ""})


@each_way
async def test_is_told_of_a_deploy_by_another_process(desk: Desk, transport: str, mode: str) -> None:
    told = asyncio.Event()

    async def hear(message: Any) -> None:
        if getattr(message, "method", None) == "notifications/prompts/list_changed":
            told.set()

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(desk.connect(transport, mode, message_handler=hear))
        before = await client.get_prompt("support.intent", {"message": "x"})
        assert before.messages[0].content.text == "Be kind. Answer in en."  # type: ignore[union-attr]
        changes = None
        if mode == "auto":
            changes = await stack.enter_async_context(client.listen(prompts_list_changed=True))
            assert changes.honored.prompts_list_changed
        await asyncio.to_thread(desk.release_second_version)
        async with asyncio.timeout(SOON) if hasattr(asyncio, "timeout") else AsyncExitStack():
            await (anext(aiter(changes)) if changes else told.wait())
        listed = (await client.list_prompts()).prompts
        assert [prompt.meta["promptops/version"] for prompt in listed if prompt.name == "support.intent" and prompt.meta] == [2]
        after = await client.get_prompt("support.intent", {"message": "x"})
        assert after.messages[0].content.text == "Be kind. Now answer in en."  # type: ignore[union-attr]


@each_way
async def test_searches_and_shows_lineage(desk: Desk, transport: str, mode: str) -> None:
    desk.release_second_version()
    async with desk.connect(transport, mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"report_outcome", "search_prompts", "show_lineage"}

        async def names(**arguments: Any) -> list[str]:
            called = await client.call_tool("search_prompts", arguments)
            assert not called.is_error, called
            return [prompt["name"] for prompt in called.structured_content["prompts"]]  # type: ignore[index]

        assert await names(text="route message") == ["support.intent"]
        assert await names(text="now answer in") == ["support.intent"], "the text is searched as it is released"
        assert await names(text="unreleased") == []
        assert await names(tags=["shared"]) == ["shared.tone"]
        assert await names(owner="support", limit=2) == ["support.intent", "support.topic-01"]

        lineage = (await client.call_tool("show_lineage", {"name": "support.intent"})).structured_content
        assert lineage and (lineage["version"], lineage["owner"], lineage["release"]) == (2, "support", 2)
        assert [ancestor["version"] for ancestor in lineage["ancestors"]] == ["support.intent@1"]
        assert [(one["version"], one["is_direct"]) for one in lineage["includes"]] == [("shared.tone@1", True)]
        tone = (await client.call_tool("show_lineage", {"name": "shared.tone"})).structured_content
        assert tone and [one["version"] for one in tone["dependants"]] == ["support.intent@2"]

        for name, arguments, saying in [
            ("show_lineage", {"name": "support.unreleased"}, "no prompt `support.unreleased` is released here"),
            ("show_lineage", {}, '"name" is a required property'),
            ("search_prompts", {"limit": "many"}, "at `/limit`"),
        ]:
            called = await client.call_tool(name, arguments)
            assert called.is_error and saying in called.content[0].text  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="there is no tool `drop_tables`"):
            await client.call_tool("drop_tables", {})


@each_way
async def test_records_a_run_as_a_tree_with_its_outcomes(desk: Desk, transport: str, mode: str) -> None:
    async with desk.connect(transport, mode) as client:
        root = await client.get_prompt("shared.tone")
        root_id = (root.meta or {})["promptops/invocation"]
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        meta: Any = {"promptops/parent": root_id, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        child = await client.get_prompt("support.intent", {"message": "x"}, meta=meta)
        child_id = (child.meta or {})["promptops/invocation"]
        outcome = {"invocation": child_id, "label": "billing", "scores": {"helpful": 1}, "model": "m", "input_tokens": 7}
        assert not (await client.call_tool("report_outcome", outcome)).is_error
        again = await client.call_tool("report_outcome", outcome)
        assert again.is_error and "is open" in again.content[0].text  # type: ignore[union-attr]
        failed = {"invocation": root_id, "error_type": "timeout", "latency_ms": 9}
        assert not (await client.call_tool("report_outcome", failed)).is_error
        with pytest.raises(MCPError, match="no id of an invocation"):
            bad: Any = {"promptops/parent": "me"}
            await client.get_prompt("shared.tone", meta=bad)
        open_one = await client.get_prompt("shared.tone")
    desk.stop()
    child_record, root_record, unreported = desk.recorded()
    assert (child_record["invocation_id"], child_record["parent_invocation"]) == (child_id, root_id)
    assert child_record["prompt_id"] == "support.intent" and child_record["prompt_version"] == 1
    assert (child_record["label"], child_record["scores"], child_record["input_tokens"]) == ("billing", {"helpful": 1}, 7)
    assert (child_record["trace_id"], child_record["responded_model"]) == (trace, "m")
    assert (root_record["status"], root_record["error_type"], root_record["latency_ms"]) == ("error", "timeout", 9)
    assert unreported["invocation_id"] == (open_one.meta or {})["promptops/invocation"]
    for record in (child_record, root_record, unreported):
        assert (record["agent"], record["runtime"], record["environment"]) == ("desk-agent", "agent", "prod")
    # The later lifecycle has no sessions over HTTP.
    sessions = {record.get("session") for record in desk.recorded()}
    assert len(sessions) == 1 and (sessions == {None}) == (transport == "http" and mode == "auto")


def test_pages_of_a_list_follow_each_other(desk: Desk) -> None:
    for number in range(150):
        id = f"many.prompt-{number:03}"
        write(desk.folder, id, f"id: {id}\nversion: 1\nowner: support\nmodel: any\ntags: []\ntemplate: About {number}.\n")
    commit(desk.folder)
    promptops(desk.folder, "publish")
    deploy(desk.folder)

    async def run() -> None:
        async with desk.connect("stdio", "legacy") as client:
            names, cursor, pages = [], None, 0
            while pages == 0 or cursor:
                page = await client.list_prompts(cursor=cursor)
                names += [prompt.name for prompt in page.prompts]
                cursor, pages = page.next_cursor, pages + 1
            assert pages == 2 and len(names) == 158 and names == sorted(names)
            with pytest.raises(MCPError, match="`cursor` is not one that this server gave"):
                await client.list_prompts(cursor="page 2")

    asyncio.run(run())


def test_the_key_says_whose_prompts_are_seen(desk: Desk) -> None:
    promptops(desk.folder, "plan", "--env", "staging", "--out", "plan.json", "--no-text", "shared.tone@1")
    promptops(desk.folder, "deploy", "plan.json")
    url = desk.serve("serve", "--env", "prod", "--read-only")

    async def seen(key: str | None) -> int:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(Client(await desk.stream(stack, url, key)))
            return len((await client.list_prompts()).prompts)

    assert asyncio.run(seen(desk.key("agent:staging"))) == 1
    assert asyncio.run(seen(desk.key("read"))) == 7, "what the server was started for"
    with pytest.raises(BaseException, match="unhandled errors"):
        asyncio.run(seen(None))
    assert httpx2.post(url, json={}).status_code == 401, "no key, no prompts"
    # Somebody else's page, and a key that sees nothing.
    headers = {"Authorization": f"Bearer {desk.key('agent:prod')}", "Accept": "application/json, text/event-stream"}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert httpx2.post(url, json=ping, headers={**headers, "Origin": "http://evil.example"}).status_code == 403
    registry = url.replace("/mcp", "/v1/prompts")
    assert httpx2.get(registry, headers=headers).status_code == 403, "an agent does not read the registry"
