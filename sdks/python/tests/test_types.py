"""The types of the package, by the checkers that users have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("typed.py")
WRONG = [number for number, line in enumerate(PROGRAM.read_text().splitlines(), 1) if "# wrong:" in line]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy remembers of the clients' packages, which are large."""
    return str(tmp_path_factory.mktemp("mypy"))


def test_mypy_finds_the_mistakes_and_no_others(cache: str) -> None:
    pytest.importorskip("mypy")
    found = run("mypy", "--strict", "--cache-dir", cache, str(PROGRAM))
    errors = [line for line in found.stdout.splitlines() if ": error: " in line]
    assert [int(line.split(":")[1]) for line in errors] == WRONG, found.stdout + found.stderr


def test_pyright_finds_the_mistakes_and_no_others() -> None:
    pytest.importorskip("pyright")
    found = run("pyright", "--outputjson", "--pythonpath", sys.executable, str(PROGRAM))
    try:
        diagnostics = json.loads(found.stdout)["generalDiagnostics"]
    except ValueError:
        pytest.skip(f"pyright could not be set up: {found.stderr[-300:]}")
    lines = sorted({one["range"]["start"]["line"] + 1 for one in diagnostics})
    assert lines == WRONG, found.stdout


def test_the_package_itself_is_typed(cache: str) -> None:
    for name in ["mypy", "langchain_core", "llama_index.core", "opentelemetry.sdk"]:
        pytest.importorskip(name)
    found = run("mypy", "--strict", "--cache-dir", cache, "-p", "promptops")
    assert found.returncode == 0, found.stdout + found.stderr
