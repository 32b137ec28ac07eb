"""Servers under test, on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def server(command: list[str], folder: Path, port: int, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Runs a server until the block is left; it is there once it accepts a connection."""
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 start_new_session=True)
    try:
        for _ in range(600):
            if child.poll() is not None:
                raise SystemExit(f"{command[0]} ended with {child.returncode}\n{log.read_text()[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        # The workers of a server may still be starting when it accepts.
        time.sleep(1)
        yield child
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
