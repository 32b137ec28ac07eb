"""A server that records, run by the real command, and the lake that it brings records to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read before the fixture that clears the environment of each test.
COMMAND = os.environ.get("PROMPTOPS_TEST_BINARY")
# Longer than anything here takes on a machine that is busy.
PATIENCE = 60.0


def until(happened: Callable[[], Any], what: str) -> Any:
    """Returns what is true of `happened()` as soon as it is."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.02)
    raise AssertionError(f"within {PATIENCE} s it never came that {what}")


def environment() -> dict[str, str]:
    return {**os.environ, "PROMPTOPS_ACTOR": "a@example.com"}


class RecordingServer:
    """`promptops serve --record` in a folder. It keeps its port when it is ended and started again."""

    def __init__(self, folder: Path) -> None:
        assert COMMAND
        self.folder = folder
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        folder.mkdir()
        subprocess.run(["git", "init", "-q", folder], check=True)
        (folder / "promptops.toml").write_text('[lake]\nurl = "file://lake"\n')
        self.run("registry", "init")

    def run(self, *arguments: str) -> str:
        assert COMMAND
        ended = subprocess.run(
            [COMMAND, *arguments], cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def start(self) -> None:
        assert COMMAND
        options = ["--record", "--read-only", "--trust-loopback", "--listen", f"127.0.0.1:{self.port}"]
        # To a file, so that it never waits for a reader.
        with (self.folder / "log.txt").open("w") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", *options],
                cwd=self.folder,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout
        listens = re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        assert listens, (self.folder / "log.txt").read_text()
        self.port = int(listens[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> None:
        """Ends it as whoever runs servers does: what it has is brought to the lake first."""
        if self.process is None:
            return
        self.process.terminate()
        assert self.process.stdout
        self.process.stdout.close()
        assert self.process.wait(PATIENCE) == 0, (self.folder / "log.txt").read_text()
        self.process = None

    def taken(self) -> int:
        """How many records it has acknowledged since it was started, those among them that came twice."""
        with urllib.request.urlopen(f"{self.url}/metrics") as answer:
            counted = re.search(r"^promptops_invocations_recorded_total (\d+)", answer.read().decode(), re.MULTILINE)
        assert counted
        return int(counted[1])

    def calls(self) -> list[dict[str, Any]]:
        """Ends it and returns what the lake has, in the order of the sessions."""
        self.end()
        columns = "invocation_id, prompt_id, prompt_version, label, service, session"
        lines = self.run("query", f"select {columns} from invocations order by session", "--format", "json")
        return [json.loads(line) for line in lines.splitlines()]

    def sessions(self) -> list[str]:
        return [call["session"] for call in self.calls()]
