"""Whatever is broken around a call, recording never raises: a program says that it is still there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import promptops
import pytest
from conftest import recorded

INTENT = "customer-support.intent-classifier"

PROGRAM = """
import sys, promptops
{before}
loader = promptops.Loader(lock="promptops.lock", {settings})
prompt = loader.load_prompt("customer-support.intent-classifier")
for _ in range(3):
    with prompt.invocation() as call:
        call.record("billing")
        assert call.label == "billing"
loader.flush()
print("dropped", loader.dropped, file=sys.stderr)
"""


def run(settings: str, before: str = "", stdout: int = subprocess.PIPE) -> str:
    program = PROGRAM.format(settings=settings, before=before)
    ended = subprocess.run([sys.executable, "-c", program], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.fixture(autouse=True)
def sources(locked: promptops.Loader) -> None:
    """The folder has a lock and a registry."""


def test_standard_output_is_closed() -> None:
    assert "dropped 3" in run("emf=True", before="import os; os.close(1)")


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are numbered otherwise")
def test_a_file_that_takes_the_place_of_standard_output_gets_no_record() -> None:
    before = "import os; os.close(1); stranger = open('stranger.csv', 'w'); assert stranger.fileno() == 1"
    assert "dropped 3" in run("emf=True", before=before)
    assert Path("stranger.csv").read_text() == ""
    # Whoever puts a file there on purpose is followed.
    before = "import os; target = os.open('target.log', os.O_WRONLY | os.O_CREAT); os.dup2(target, 1)"
    assert "dropped 0" in run("emf=True", before=before)
    assert len(Path("target.log").read_text().splitlines()) == 3


def test_nobody_reads_standard_output() -> None:
    # The other end of the pipe is closed before anything is written.
    before = "import os; reader, writer = os.pipe(); os.dup2(writer, 1); os.close(writer); os.close(reader)"
    assert "dropped 3" in run("emf=True", before=before)


STUCK = """
import os, sys, threading, time
import promptops
reader, writer = os.pipe()
os.dup2(writer, 1)
def call():
    with prompt.invocation() as call:
        call.record("billing")
loader = promptops.Loader(lock="promptops.lock", emf=True)
prompt = loader.load_prompt("customer-support.intent-classifier")
started = time.monotonic()
for _ in range(1000):
    call()
waited, lost = time.monotonic() - started, loader.dropped
# The reader is back: what comes now is taken again, each record on a line of its own.
text = b""
def read():
    global text
    while part := os.read(reader, 1 << 16):
        text += part
reading = threading.Thread(target=read)
reading.start()
time.sleep(0.2)
call()
assert loader.dropped == lost
os.close(writer), os.close(1)
reading.join()
import json
lines = text.decode().splitlines()
whole = [line for line in lines if line.endswith("}") and json.loads(line)]
print(waited, lost, len(whole), len(lines), file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are asked whether they are ready")
def test_whoever_reads_standard_output_is_stuck() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    waited, lost, whole, lines = ended.stderr.split()
    assert float(waited) < 10, "a record waits once, and a tenth of a second at most"
    assert int(lost) > 500
    assert int(lost) + int(whole) == 1001 == int(lost) + int(lines)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_disk_is_full() -> None:
    assert "dropped 3" in run("invocations='/dev/full'")
    with open("/dev/full", "w") as full:
        assert "dropped 3" in run("emf=True", stdout=full.fileno())


def test_the_file_cannot_be_opened() -> None:
    # No disk is involved: a file stands where a folder should be.
    Path("file").write_text("")
    stderr = run("invocations='file/calls.jsonl'", before="import warnings; warnings.simplefilter('always')")
    assert "invocations cannot be recorded" in stderr


def test_the_file_is_removed_under_way(tmp_path: Path, locked: promptops.Loader) -> None:
    prompt = locked.load_prompt(INTENT)
    (tmp_path / "calls.jsonl").unlink()
    with prompt.invocation() as call:
        call.record("billing")
    assert call.label == "billing"


def test_a_trace_that_breaks(tmp_path: Path, locked: promptops.Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = pytest.importorskip("opentelemetry.trace")

    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(trace, "get_current_span", broken)
    with locked.load_prompt(INTENT).invocation() as call:
        call.record("billing")
    assert json.loads(json.dumps(recorded(tmp_path)))[0]["label"] == "billing"
