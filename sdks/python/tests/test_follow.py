"""Following an environment in real processes: threads, forks, an event loop, a process that is stopped, an outage."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promptops
import pytest
from conftest import recorded
from releases import Registry

ID = "support.reply"
FOLLOW = {"registry": "file://registry", "follow": "prod"}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three versions of a prompt, of which the first is live."""
    registry = Registry(tmp_path)
    registry.pins = [registry.publish(ID, version) for version in (1, 2, 3)]  # type: ignore[attr-defined]
    live(registry, 1)
    return registry


def live(registry: Registry, version: int) -> int:
    return registry.release({ID: registry.pins[version - 1]})  # type: ignore[attr-defined]


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < seconds
        time.sleep(0.005)


def join(child: int, seconds: float = 30) -> int:
    """Waits for a child; one that hangs is ended, which the result shows."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


def test_a_release_is_used_without_a_load_that_waits(registry: Registry) -> None:
    loader = promptops.Loader(**FOLLOW, refresh_seconds=0.05)
    assert (loader.environment, loader.release) == (None, None)
    first = loader.load_prompt(ID)
    assert (first.version, loader.environment, loader.release) == (1, "prod", 1)
    live(registry, 2)
    until(lambda: loader.load_prompt(ID).version == 2)
    assert (first.version, first.render()) == (1, f"{ID} 1")
    live(registry, 3)
    assert loader.refresh() in (True, False)
    assert (loader.load_prompt(ID).version, loader.release) == (3, 3)
    assert loader.refresh() is False


def test_the_environment_of_the_process_says_it(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTOPS_REGISTRY", "file://registry")
    monkeypatch.setenv("PROMPTOPS_FOLLOW", "prod")
    promptops.configure()
    try:
        assert promptops.load_prompt(ID).version == 1
        live(registry, 2)
        assert promptops.load_prompt(ID).version == 1
        assert promptops.refresh() is True
        assert promptops.load_prompt(ID).version == 2
    finally:
        promptops.configure(prompts="prompts")
    with pytest.raises(ValueError, match="`refresh_seconds` is a number of seconds, not -1"):
        promptops.Loader(**FOLLOW, refresh_seconds=-1)
    with pytest.raises(promptops.ConfigurationError, match="nothing was released to it"):
        promptops.Loader(registry="file://registry", follow="staging").load_prompt(ID)


def test_threads_see_no_release_go_back(registry: Registry) -> None:
    loader = promptops.Loader(**FOLLOW, refresh_seconds=0.001)
    loader.load_prompt(ID)
    is_over = threading.Event()
    failures: list[Any] = []

    def load() -> None:
        last = 0
        try:
            while not is_over.is_set():
                loader.load_prompt(ID)
                release = loader.release
                assert release is not None and release >= last
                last = release
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(30):
        release = live(registry, 1 + number % 3)
        until(lambda: loader.release == release)
    is_over.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_children_of_a_fork_that_happens_at_any_moment(registry: Registry, tmp_path: Path) -> None:
    """As a server that loads its application once and forks its workers, which are followed by threads of their own."""
    loader = promptops.Loader(**FOLLOW, refresh_seconds=0.001, invocations=tmp_path / "calls.jsonl")
    loader.load_prompt(ID)
    is_over = threading.Event()

    def load() -> None:
        # Records are written all the time, so that some fork happens in the middle of one.
        while not is_over.is_set():
            with loader.load_prompt(ID).invocation(session="parent") as call:
                call.record("ok")

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(40):
        child = fork()
        if child == 0:
            code = 1
            try:
                with loader.load_prompt(ID).invocation(session="child") as call:
                    call.record("ok")
                # The thread of the parent's refresh does not exist here.
                until(lambda: loader.load_prompt(ID).version == 2)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    live(registry, 2)
    codes = [join(child) for child in children]
    is_over.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 40
    assert sum(record["session"] == "child" for record in recorded(tmp_path)) == 40


def fork() -> int:
    """Forks beside threads, of which Python warns rightly in general."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


LOADER: promptops.Loader | None = None


def worker(number: int) -> int:
    assert LOADER is not None
    return LOADER.load_prompt(ID).version


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pool_of_processes(registry: Registry) -> None:
    global LOADER
    LOADER = promptops.Loader(**FOLLOW, refresh_seconds=0.01)
    LOADER.load_prompt(ID)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert set(pool.map(worker, range(100))) == {1}
        live(registry, 2)
        until(lambda: set(pool.map(worker, range(20))) == {2})


THREADS = """
import os, sys, time, promptops
def threads(): return len(os.listdir('/proc/self/task'))
found = [threads()]
promptops.Loader(bundle='app.bundle').load_prompt('support.reply').render()
found.append(threads())
loader = promptops.Loader(registry='file://registry', follow='prod', refresh_seconds=0.2)
loader.load_prompt('support.reply')
found.append(threads())
time.sleep(0.3)
loader.load_prompt('support.reply')
deadline = time.monotonic() + 10
while threads() > 1 and time.monotonic() < deadline: time.sleep(0.01)
found.append(threads())
print(found)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="threads are counted in /proc")
def test_no_thread_is_there_unless_something_needs_it(registry: Registry, tmp_path: Path) -> None:
    registry.lock({ID: registry.pins[0]})  # type: ignore[attr-defined]
    ran = subprocess.run([sys.executable, "-c", THREADS], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout.strip(), ran.stderr) == ("[1, 1, 1, 1]", "")


FROZEN = """
import sys, promptops
loader = promptops.Loader(registry='file://registry', follow='prod', refresh_seconds=0.5, max_stale_seconds=0.5)
for line in sys.stdin:
    print(loader.load_prompt('support.reply').version, flush=True)
"""


def test_the_first_load_after_a_freeze_is_of_what_is_live(registry: Registry, tmp_path: Path) -> None:
    """As a Lambda function between two invocations: the process does not run at all, and then goes on."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", FROZEN], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None

        def load() -> int:
            stdin.write("load\n")
            stdin.flush()
            return int(stdout.readline())

        assert load() == 1
        for version in (2, 3):
            process.send_signal(signal.SIGSTOP)
            live(registry, version)
            # Time has to pass for a process that does not run, which is what this is about.
            time.sleep(0.7)
            process.send_signal(signal.SIGCONT)
            assert load() == version


@pytest.fixture
def bucket(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The registry in a bucket, which moto serves."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    # moto has one state for all of its servers in a process.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    s3.create_bucket(Bucket="prompts")
    registry.put = lambda key, data: s3.put_object(Bucket="prompts", Key=key, Body=data)  # type: ignore[method-assign]
    for key, data in registry.objects.items():
        registry.put(key, data)
    yield server
    server.stop()


def test_workers_of_a_fork_follow_a_registry_behind_a_network(bucket: Any, registry: Registry) -> None:
    loader = promptops.Loader(registry="s3://prompts", follow="prod", refresh_seconds=0.05, cache="cache")
    assert loader.load_prompt(ID).version == 1
    children = []
    for _ in range(4):
        child = fork()
        if child == 0:
            code = 1
            try:
                until(lambda: loader.load_prompt(ID).version == 2)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    live(registry, 2)
    assert [join(child) for child in children] == [0] * 4
    until(lambda: loader.load_prompt(ID).version == 2)


def test_a_restart_in_an_outage_uses_the_last_good_release(bucket: Any, registry: Registry, tmp_path: Path) -> None:
    code = (
        "import sys, promptops; print(promptops.Loader(registry='s3://prompts', follow='prod', cache='cache', "
        "max_stale_seconds=0.001, refresh_seconds=0.001, refuse_stale=sys.argv[1] == '1').load_prompt('support.reply').version)"
    )

    def start(refuses: str = "0") -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, refuses], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (start().stdout, start().stderr) == ("1\n", "")
    bucket.stop()
    restarted = start()
    assert restarted.stdout == "1\n"
    assert "environment `prod` could not be refreshed, so release 1 is used on" in restarted.stderr
    assert "RegistryUnavailableError: environment `prod` was last seen" in start("1").stderr
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with pytest.raises(promptops.RegistryUnavailableError):
        promptops.Loader(registry="s3://prompts", follow="prod", cache=nothing).load_prompt(ID)


def test_an_event_loop_is_not_held_up_by_a_refresh(registry: Registry) -> None:
    loader = promptops.Loader(**FOLLOW, refresh_seconds=0.002)
    loader.load_prompt(ID)

    async def run() -> tuple[int, float]:
        longest, is_over = 0.0, False

        async def beat() -> None:
            nonlocal longest
            while not is_over:
                begun = time.perf_counter()
                await asyncio.sleep(0)
                longest = max(longest, time.perf_counter() - begun)

        beating = asyncio.create_task(beat())
        for number in range(30):
            release = live(registry, 1 + number % 3)
            while loader.release != release:
                loader.load_prompt(ID)
                await asyncio.sleep(0.001)
        is_over = True
        await beating
        return loader.release or 0, longest

    release, longest = asyncio.run(run())
    assert release == 31
    assert longest < 0.5, "a load took the loop for as long as a refresh may take"


def test_what_was_warned_of_comes_from_any_thread(registry: Registry, tmp_path: Path) -> None:
    loader = promptops.Loader(**FOLLOW, refresh_seconds=0.001)
    loader.load_prompt(ID)
    (tmp_path / "registry").rename(tmp_path / "away")
    with pytest.warns(promptops.PromptOpsWarning, match="so release 1 is used on"):
        with pytest.raises(promptops.RegistryUnavailableError):
            loader.refresh()
    assert loader.load_prompt(ID).version == 1
    (tmp_path / "away").rename(tmp_path / "registry")
    assert json.loads((tmp_path / "registry/format.json").read_text()) == {"format": 1}
    assert loader.refresh() is False
