"""Where invocations go, against the real command: a server over HTTP and OTLP, spools, outages, forks and the end of a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import vectors, write_sources
from recording_server import COMMAND, PATIENCE, RecordingServer, until

INTENT = "customer-support.intent-classifier"

needs_command = pytest.mark.skipif(not COMMAND, reason="PROMPTOPS_TEST_BINARY does not say where the command is")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# A destination for each way to the server, of its URL.
WAYS = pytest.mark.parametrize("way", ["{}", "otlp+{}", "otlp+grpc://{}"], ids=["http", "otlp-http", "otlp-grpc"])

BEGIN = """
import os, signal, sys, time
import promptops
prompt = promptops.load_prompt("customer-support.intent-classifier")
def call(session):
    with prompt.invocation(session=session) as call:
        call.record("billing")
"""


@pytest.fixture(autouse=True)
def sources(tmp_path: Path) -> None:
    write_sources(tmp_path, vectors("load.json"), {})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RecordingServer]:
    server = RecordingServer(tmp_path / "server")
    server.start()
    yield server
    server.end()


def destination(way: str, server: RecordingServer) -> str:
    return way.format(server.url.removeprefix("http://") if "//" in way else server.url)


def run(program: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with a prompt and a function `call(session)`, in the folder of the test, and returns what it said."""
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == expect, ended.stderr
    return ended


def call(loader: promptops.Loader, session: str) -> None:
    with loader.load_prompt(INTENT).invocation(session=session) as call:
        call.record("billing")


def spooled(folder: Path, pattern: str = "*.jsonl") -> list[str]:
    """The sessions in the files of a spool, oldest first."""
    texts = [file.read_text() for file in sorted(folder.glob(pattern))]
    return [json.loads(line)["session"] for text in texts for line in text.splitlines()]


@needs_command
@WAYS
def test_calls_get_into_the_lake(server: RecordingServer, way: str) -> None:
    run("for n in range(3): call(f'{n}')", PROMPTOPS_SINK=destination(way, server), PROMPTOPS_SERVICE="billing")
    calls = server.calls()
    assert [call["session"] for call in calls] == ["0", "1", "2"], "delivered at the end, without a flush"
    assert len({call["invocation_id"] for call in calls}) == 3
    assert {(call["prompt_id"], call["prompt_version"]) for call in calls} == {(INTENT, 2)}
    assert {(call["label"], call["service"]) for call in calls} == {("billing", "billing")}


@needs_command
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_otlp_reads_the_variables_of_open_telemetry(server: RecordingServer, protocol: str) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    run("call('a')", PROMPTOPS_SINK="otlp", OTEL_EXPORTER_OTLP_COMPRESSION="gzip", OTEL_SERVICE_NAME="shop", **variables)
    assert [(call["session"], call["service"]) for call in server.calls()] == [("a", "shop")]


@needs_command
def test_several_sinks_get_the_same_records(server: RecordingServer, tmp_path: Path) -> None:
    loader = promptops.Loader(
        lock="promptops.lock", invocations="calls.jsonl", sink=[server.url, "spool:spool", "jsonl:more.jsonl"]
    )
    call(loader, "a")
    loader.flush()
    assert loader.dropped == 0
    lines = (tmp_path / "calls.jsonl").read_text()
    assert lines == (tmp_path / "more.jsonl").read_text()
    assert spooled(tmp_path / "spool") == ["a"]
    [call_in_lake] = server.calls()
    assert call_in_lake["invocation_id"] == json.loads(lines)["invocation_id"]


@needs_command
@pytest.mark.parametrize(
    ("end", "code"),
    [("sys.exit(3)", 3), ("raise RuntimeError", 1), ("promptops.flush(); os._exit(0)", 0)],
    ids=["exit", "exception", "flush"],
)
def test_the_end_of_a_process_delivers(server: RecordingServer, end: str, code: int) -> None:
    run(f"call('a'); call('b')\n{end}", expect=code, PROMPTOPS_SINK=server.url)
    assert server.sessions() == ["a", "b"]


@needs_command
def test_a_lambda_that_is_told_to_end_delivers(server: RecordingServer) -> None:
    program = "call('a'); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
    run(program, expect=-signal.SIGTERM, PROMPTOPS_SINK=server.url, AWS_LAMBDA_FUNCTION_NAME="shop")
    assert server.sessions() == ["a"]


FORKS = """
import multiprocessing, threading
call("parent before")
is_over = threading.Event()
def go_on():
    number = 0
    while not is_over.is_set():
        call(f"thread {number:06}")
        number += 1
        time.sleep(0.0005)
    print(number)
thread = threading.Thread(target=go_on)
thread.start()
children = []
for number in range(20):
    if (child := os.fork()) == 0:
        signal.alarm(30)
        call(f"child {number:02}")
        promptops.flush()
        os._exit(0 if promptops.dropped() == 0 else 1)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
is_over.set()
thread.join()
workers = [multiprocessing.get_context("fork").Process(target=call, args=(f"worker {number}",)) for number in range(3)]
for worker in workers: worker.start()
for worker in workers: worker.join(30); assert worker.exitcode == 0
call("parent after")
promptops.flush()
assert promptops.dropped() == 0
"""


@needs_command
@needs_fork
@WAYS
def test_children_of_a_fork_deliver_and_the_parent_goes_on(server: RecordingServer, way: str) -> None:
    # A thread of the parent records all the time, so that a fork comes whatever the sink is doing then.
    ended = run(FORKS, PROMPTOPS_SINK=destination(way, server))
    of_thread = [f"thread {number:06}" for number in range(int(ended.stdout))]
    of_children = [f"child {number:02}" for number in range(20)]
    of_workers = [f"worker {number}" for number in range(3)]
    assert of_thread
    # Each once: what waited in the parent at a fork is not the child's to send.
    assert server.sessions() == [*of_children, "parent after", "parent before", *of_thread, *of_workers]


@needs_command
@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
def test_a_server_that_is_back_gets_what_was_spilled(server: RecordingServer, tmp_path: Path) -> None:
    server.end()
    loader = promptops.Loader(lock="promptops.lock", sink=server.url, spill="spill")
    for number in range(5):
        call(loader, f"away {number}")
    loader.flush()
    assert loader.dropped == 0
    assert spooled(tmp_path / "spill") == [f"away {number}" for number in range(5)]
    server.start()
    call(loader, "back")
    until(lambda: server.taken() == 6, "the server has all of them, with nobody flushing")
    until(lambda: not list((tmp_path / "spill").iterdir()), "the spool is empty")
    assert loader.dropped == 0
    assert server.sessions() == [*(f"away {number}" for number in range(5)), "back"]


@needs_command
def test_an_outage_is_said_once_and_the_next_process_delivers(server: RecordingServer, tmp_path: Path) -> None:
    server.end()
    variables = {"PROMPTOPS_SINK": server.url, "PROMPTOPS_SPILL": "spill"}
    said = run("call('first'); promptops.flush(); call('second'); promptops.flush()", **variables).stderr
    assert said.count("records wait in the spool") == 1, said
    assert server.url in said
    # This one has no time to end: its file is closed by the next that opens the folder.
    program = """
call('third'); deadline = time.monotonic() + 30
while not any(name.endswith('.open') and os.path.getsize(f'spill/{name}') for name in os.listdir('spill')):
    assert time.monotonic() < deadline
os.kill(os.getpid(), signal.SIGKILL)
"""
    run(program, expect=-signal.SIGKILL, **variables)
    assert spooled(tmp_path / "spill") == ["first", "second"]
    assert spooled(tmp_path / "spill", "*.open") == ["third"]
    server.start()
    assert run("call('fourth'); promptops.flush(); print(promptops.dropped())", **variables).stdout == "0\n"
    assert list((tmp_path / "spill").iterdir()) == []
    assert server.sessions() == ["first", "fourth", "second", "third"]


@needs_command
def test_what_a_stuck_server_was_asked_to_take_is_spilled_at_the_end(server: RecordingServer, tmp_path: Path) -> None:
    server.end()
    # In the place of the server somebody accepts the request and never answers. The end comes while it is under way, so its records
    # have left the queue.
    program = f"""
import socket
listener = socket.create_server(("127.0.0.1", {server.port}))
call('under way')
connection, _ = listener.accept()
assert connection.recv(1)
call('waiting')
"""
    variables = {"PROMPTOPS_SINK": server.url, "PROMPTOPS_SPILL": "spill", "PROMPTOPS_FLUSH_SECONDS": "2"}
    said = run(program, **variables).stderr
    assert "the server did not answer before the end" in said
    assert spooled(tmp_path / "spill") == ["under way", "waiting"]
    server.start()
    run("call('later'); promptops.flush()", **variables)
    assert server.sessions() == ["later", "under way", "waiting"]


@WAYS
def test_flushing_waits_no_longer_than_it_is_told_to(way: str) -> None:
    program = """
call('a')
started = time.monotonic()
promptops.flush()
print(time.monotonic() - started)
"""
    # The system accepts connections for it, and nobody ever answers them.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        sink = way.format(address if "//" in way else f"http://{address}")
        ended = run(program, PROMPTOPS_SINK=sink, PROMPTOPS_FLUSH_SECONDS="0.5")
    assert 0.5 <= float(ended.stdout) < 4.5, "less than the five seconds that it waits unless told otherwise"


@needs_command
def test_a_record_that_is_refused_is_dropped_counted_and_said(server: RecordingServer) -> None:
    with pytest.warns(promptops.PromptOpsWarning, match="records are lost: the server answered 404"):
        loader = promptops.Loader(lock="promptops.lock", sink=f"{server.url}/elsewhere")
        call(loader, "a")
        loader.flush()
        assert loader.dropped == 1
        call(loader, "b")


def test_a_spool_is_closed_by_a_flush_and_by_the_end(tmp_path: Path) -> None:
    run("call('a'); promptops.flush(); call('b')", PROMPTOPS_SINK="spool:spool")
    files = sorted((tmp_path / "spool").iterdir())
    assert len(files) == 2
    assert {file.suffix for file in files} == {".jsonl"}
    assert spooled(tmp_path / "spool") == ["a", "b"]


def test_a_spool_begins_a_new_file_when_one_is_full(tmp_path: Path) -> None:
    loader = promptops.Loader(lock="promptops.lock", sink="spool:spool")
    filling = "x" * 100_000
    for number in range(400):
        call(loader, f"{number:03} {filling}")
    loader.flush()
    assert loader.dropped == 0
    files = sorted((tmp_path / "spool").iterdir())
    sizes = [file.stat().st_size for file in files]
    assert len(files) == 3, "40 MB in files of 16 MB"
    assert all(16 << 20 <= size < (16 << 20) + 200_000 for size in sizes[:2]), sizes
    assert [session[:3] for session in spooled(tmp_path / "spool")] == [f"{number:03}" for number in range(400)]


def test_the_oldest_of_a_spool_go_when_there_is_too_much_and_are_counted(tmp_path: Path) -> None:
    program = "for n in range(5): call(f'{n}' * 5000); promptops.flush()\nprint(promptops.dropped())"
    ended = run(program, PROMPTOPS_SINK="spool:spool", PROMPTOPS_SPOOL_BYTES="12000")
    assert ended.stdout == "3\n"
    assert [session[0] for session in spooled(tmp_path / "spool")] == ["3", "4"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="file systems are mounted as on Linux")
@pytest.mark.filterwarnings("ignore::promptops.PromptOpsWarning")
@pytest.mark.parametrize("is_spill", [False, True], ids=["spool", "spill"])
def test_a_full_disk_costs_what_it_does_not_take_and_nothing_else(small: Path, is_spill: bool) -> None:
    # No server listens there, so that all of them are spilled.
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    sinks = {"sink": nobody, "spill": "small"} if is_spill else {"sink": "spool:small"}
    (small / "filling").write_bytes(b"x" * (40 << 10))
    loader = promptops.Loader(lock="promptops.lock", **sinks)  # type: ignore[arg-type]
    for number in range(20):
        call(loader, f"{number:02} {'x' * 4000}")
    loader.flush()
    assert loader.dropped > 10
    written = [session[:2] for session in spooled(small)]
    assert len(written) + loader.dropped == 20, "each is on the disk, whole, or counted"
    assert written == [f"{number:02}" for number in range(len(written))]
    (small / "filling").unlink()
    lost = loader.dropped
    call(loader, "there is room again")
    loader.flush()
    assert loader.dropped == lost
    assert spooled(small)[-1] == "there is room again"


@needs_fork
def test_processes_share_a_spool(tmp_path: Path) -> None:
    program = """
children = []
for number in range(4):
    if (child := os.fork()) == 0:
        for line in range(50): call(f"{number} {line:02}")
        promptops.flush()
        os._exit(0)
    children.append(child)
for child in children: assert os.waitpid(child, 0)[1] == 0
"""
    run(program, PROMPTOPS_SINK="spool:spool")
    assert sorted(spooled(tmp_path / "spool")) == [f"{number} {line:02}" for number in range(4) for line in range(50)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROMPTOPS_SINK", "stdout"), ("PROMPTOPS_FLUSH_SECONDS", "soon"), ("PROMPTOPS_SPOOL_BYTES", "1GB")],
)
def test_a_variable_without_meaning_is_named_and_ignored(name: str, value: str) -> None:
    ended = run("call('a'); print(promptops.dropped())", **{name: value})
    assert ended.stdout == "0\n"
    assert f"{name} is ignored, since it has a value without meaning: `{value}`" in ended.stderr


@pytest.mark.parametrize("sink", ["stdout", "https://", ["emf", "ftp://host"]])
def test_a_setting_without_meaning_is_refused(sink: Any) -> None:
    with pytest.raises(ValueError, match="invocations go to `emf`"):
        promptops.Loader(lock="promptops.lock", sink=sink)
