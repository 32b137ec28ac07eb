"""`examples/agent`, run as its page says: what it prints, and the trees it leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from test_mcp import COMMAND, SETTINGS, SOON, Desk, commit, git, promptops

EXAMPLE = Path(__file__).parents[3] / "examples" / "agent"


def test_a_run_of_the_agent_is_a_tree(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    shutil.copytree(EXAMPLE, folder)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder)
    promptops(folder, "registry", "init")
    promptops(folder, "publish")
    promptops(folder, "plan", "--env", "dev", "--out", "plan.json", "--no-text")
    promptops(folder, "deploy", "plan.json")

    assert COMMAND
    model = subprocess.Popen([COMMAND, "offline-model", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert model.stdout
        url = re.search(r"http://\S+/v1", model.stdout.readline())
        assert url, "the offline model says where it is"
        # The agent starts `promptops` by its name.
        path = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            [sys.executable, "agent.py", url[0]],
            cwd=folder,
            env={**os.environ, **SETTINGS, "PATH": path},
            capture_output=True,
            text=True,
            timeout=3 * SOON,
        )
    finally:
        model.terminate()
        model.communicate(timeout=SOON)
    assert ran.returncode == 0, ran.stderr
    page = (EXAMPLE / "README.md").read_text()
    assert ran.stdout in page and ran.stdout.count("\n") == 3, ran.stdout

    records = Desk(folder).recorded("invocations.jsonl")
    assert [record["prompt_id"] for record in records] == ["desk.triage", "desk.urgency", "desk.triage", "desk.urgency", "desk.triage"]
    for root, child in (records[0:2], records[2:4]):
        assert "parent_invocation" not in root
        assert child["parent_invocation"] == root["invocation_id"]
    assert {record["agent"] for record in records} == {"desk-agent"}
    assert len({record["session"] for record in records}) == 1
    assert all(record["valid"] and record["input_tokens"] > 0 and record["environment"] == "dev" for record in records)
    assert [record["label"] for record in records] == ["billing", "high", "technical", "high", "other"]
