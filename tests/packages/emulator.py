"""AWS's Lambda runtime interface emulator, with a layer at /opt as Lambda has it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import given, plain_environment


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _private_opt() -> list[str]:
    """Returns a command that runs another where /opt can be covered without anybody else noticing."""
    unshare = shutil.which("unshare")
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        command = [unshare or "unshare", *options, "--propagation", "private"]
        script = "mount -t tmpfs none /opt"
        if unshare and subprocess.run([*command, "sh", "-c", script], capture_output=True).returncode == 0:
            return command
    pytest.skip("this user may not mount anything, so no layer can lie at /opt")


class Function:
    """A function that runs in the emulator."""

    def __init__(self, port: int, log: Path) -> None:
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._log = log

    def invoke(self, event: dict[str, Any]) -> Any:
        """Invokes it and returns its answer."""
        request = urllib.request.Request(self._url, json.dumps(event).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert not (isinstance(answer, dict) and "errorType" in answer), f"{answer}\n{self.log()}"
        return answer

    def log(self) -> str:
        return self._log.read_text()


@contextlib.contextmanager
def function(layers: list[Path], handler: str, command: list[str] | None = None, **variables: str) -> Iterator[Function]:
    """Runs a function in Python, or another `command`, with layers at /opt and whatever the handler's text is as its code."""
    port, runtime_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(prefix="promptops-lambda-") as folder:
        task = Path(folder) / "task"
        task.mkdir()
        (task / "function.py").write_text(handler)
        opt = Path(folder) / "opt"
        for layer in layers:
            shutil.copytree(layer, opt, dirs_exist_ok=True)
        environment = plain_environment(
            task,
            LAMBDA_TASK_ROOT=str(task),
            # As the runtime of Python in Lambda sets it: the layer's modules are found after the function's own.
            PYTHONPATH=f"{task}:/opt/python",
            AWS_LAMBDA_FUNCTION_NAME="function",
            **variables,
        )
        runtime = command or [sys.executable, "-m", "awslambdaric", "function.handler"]
        emulator = [
            str(given("PROMPTOPS_TEST_LAMBDA_RIE")),
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{port}",
            "--runtime-api-address",
            f"127.0.0.1:{runtime_port}",
            *runtime,
        ]
        script = f"mount --bind {shlex.quote(str(opt))} /opt && exec {shlex.join(emulator)}"
        log = Path(folder) / "log.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_private_opt(), "sh", "-c", script], cwd=task, env=environment, stdout=out, stderr=out, start_new_session=True
            )
            try:
                _wait_until_open(port, process, log)
                yield Function(port, log)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the emulator does not listen\n{log.read_text()}")
