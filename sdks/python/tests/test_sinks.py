"""Records that leave the machine: a real server takes them, goes away and comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest

BINARY = os.environ.get("PROMPTOPS_TEST_BINARY")
INTENT = "customer-support.intent-classifier"

pytestmark = pytest.mark.skipif(BINARY is None, reason="PROMPTOPS_TEST_BINARY names no command")


class Server:
    """`promptops serve --record` over a lake of its own, at one port for as long as the value lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "promptops.toml").write_text("")
        self.run("registry", "init")
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [str(BINARY), "serve", "--record", "--read-only", "--trust-loopback", "--log", "events"]
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        environment = {**os.environ, "PROMPTOPS_ACTOR": "tests@example.com"}
        self.process = subprocess.Popen([*command, *listen], cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127.0.0.1:(\d+)", line)
        assert found, line
        self.port = int(found[1])

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def run(self, *arguments: str) -> str:
        command = [str(BINARY), *arguments]
        environment = {**os.environ, "PROMPTOPS_ACTOR": "tests@example.com"}
        return subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True, text=True).stdout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def records(self) -> list[dict[str, Any]]:
        """What the lake has once the server has brought it there, which it does before it ends."""
        self.stop()
        answer = self.run("query", "--format", "json", "SELECT * FROM invocations ORDER BY time, invocation_id")
        return [json.loads(line) for line in answer.splitlines()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def sources(locked: promptops.Loader) -> None:
    """The folder has a lock and a registry."""


def call(loader: promptops.Loader, session: str) -> None:
    with loader.load_prompt(INTENT).invocation(session=session) as invocation:
        invocation.record("billing")


def sinks(*names: str, **settings: Any) -> promptops.Loader:
    return promptops.Loader(lock="promptops.lock", sink=list(names), **settings)


def test_a_server_takes_what_is_flushed(server: Server) -> None:
    loader = sinks(server.url)
    for session in ["first", "second"]:
        call(loader, session)
    loader.flush()
    assert loader.dropped == 0
    records = server.records()
    assert [record["session"] for record in records] == ["first", "second"]
    assert {record["prompt_id"] for record in records} == {INTENT}


@pytest.mark.parametrize("scheme", ["otlp+http", "otlp+grpc"])
def test_opentelemetry_takes_what_is_flushed(server: Server, scheme: str) -> None:
    loader = sinks(server.url.replace("http", scheme, 1))
    for session in ["first", "second"]:
        call(loader, session)
    loader.flush()
    assert loader.dropped == 0
    records = server.records()
    assert [record["session"] for record in records] == ["first", "second"]
    assert {(record["prompt_id"], record["prompt_version"]) for record in records} == {(INTENT, 2)}


def test_the_environment_names_sinks_and_the_end_of_a_process_delivers(server: Server) -> None:
    program = f"""
        import promptops
        for session in ["first", "third", "fourth"]:
            with promptops.load_prompt({INTENT!r}).invocation(session=session) as call:
                call.record("billing")
        """
    environment = {**os.environ, "PROMPTOPS_SINK": f"{server.url}, spool:spool", "PROMPTOPS_LOCK": "promptops.lock"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, check=True)
    assert [record["session"] for record in server.records()] == ["first", "third", "fourth"]
    (closed,) = Path("spool").iterdir()
    assert closed.suffix == ".jsonl"
    assert len(closed.read_text().splitlines()) == 3


def test_an_unknown_sink_is_refused_or_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="not to `ftp://host`"):
        sinks("ftp://host")
    program = f"import promptops\nwith promptops.load_prompt({INTENT!r}).invocation(): pass"
    environment = {**os.environ, "PROMPTOPS_SINK": "ftp://host", "PROMPTOPS_LOCK": "promptops.lock"}
    subprocess.run([sys.executable, "-W", "always", "-c", program], env=environment, check=True)
    assert "ftp://host" in capfd.readouterr().err


def test_what_a_server_does_not_take_waits_for_it_on_the_disk(server: Server) -> None:
    server.stop()
    loader = sinks(server.url, spill="spill")
    with pytest.warns(promptops.PromptOpsWarning, match="records"):
        for session in ["first", "second", "third"]:
            call(loader, session)
        loader.flush()
    assert loader.dropped == 0
    spilled = [path for path in Path("spill").rglob("*.jsonl") if path.stat().st_size > 0]
    assert spilled, "they are on the disk before the process ends"
    # Another process, later, brings what this one has left.
    server.start()
    program = f"""
        import promptops, sys
        loader = promptops.Loader(lock="promptops.lock", sink=sys.argv[1:], spill="spill")
        with loader.load_prompt({INTENT!r}).invocation(session="fourth") as call:
            call.record("billing")
        loader.flush()
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), server.url], check=True)
    loader.flush()
    records = server.records()
    assert sorted(record["session"] for record in records) == ["first", "fourth", "second", "third"]


def test_without_a_spill_a_call_waits_for_nobody(server: Server) -> None:
    server.stop()
    loader = sinks(server.url)
    with pytest.warns(promptops.PromptOpsWarning, match="records wait"):
        started = time.monotonic()
        for _ in range(12_000):
            call(loader, "first")
        assert time.monotonic() - started < 30
        lost = loader.dropped
        assert lost >= 1_500, "ten thousand wait, and some are under way"
        # What waits is not lost: the server comes back.
        server.start()
        until = time.monotonic() + 60
        while loader.flush() or len(list((server.folder / ".promptops").rglob("*.parquet"))) == 0:
            assert time.monotonic() < until
    loader.flush()
    assert loader.dropped == lost
    assert len(server.records()) == 12_000 - lost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_a_queue_of_its_own(server: Server) -> None:
    program = f"""
        import os, promptops, sys
        loader = promptops.Loader(lock="promptops.lock", sink=[sys.argv[1]])
        prompt = loader.load_prompt({INTENT!r})
        def call(session):
            with prompt.invocation(session=session) as call:
                call.record("billing")
        call("first")
        if os.fork() == 0:
            call("second")
            loader.flush()
            os._exit(0)
        os.wait()
        call("third")
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), server.url], check=True)
    assert sorted(record["session"] for record in server.records()) == ["first", "second", "third"]


def test_a_spool_is_closed_whole() -> None:
    loader = sinks("spool:spool")
    for session in ["first", "second"]:
        call(loader, session)
    loader.flush()
    (closed,) = Path("spool").glob("*.jsonl")
    assert [json.loads(line)["session"] for line in closed.read_text().splitlines()] == ["first", "second"]
    call(loader, "third")
    loader.flush()
    assert len(list(Path("spool").glob("*.jsonl"))) == 2
