"""Fixtures: a project with a lock, and what its packages are run with. `cargo xtask test` says where the programs are."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

PROMPT = """\
id: support.greeting
version: 1
owner: support-team
model: gpt-4o-2024-08-06
tags: [support]
inputs:
  name: {type: string}
template: |
  Write one warm sentence that greets {{ name }}.
"""


def given(variable: str) -> Path:
    """Returns the path that a variable holds; without it the test is skipped."""
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} is not set; `cargo xtask test` sets it")
    return Path(path)


def plain_environment(home: Path, **variables: str) -> dict[str, str]:
    """Returns an environment without the settings of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    return {**kept, "HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **variables}


class Project:
    """A folder with a published and locked prompt."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder = folder
        self.program = program
        prompt = folder / "prompts/support/greeting.yaml"
        prompt.parent.mkdir(parents=True)
        prompt.write_text(PROMPT)
        (folder / "promptops.toml").write_text("")
        self._call("git", "init", "--quiet", "--initial-branch=main")
        self._call("git", "add", "--all")
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        self._call("git", *who, "commit", "--quiet", "--message", "Greet people")
        self.promptops("registry", "init")
        self.promptops("publish")
        self.promptops("lock", "support.greeting@1")

    def _call(self, *command: str) -> str:
        environment = plain_environment(self.folder, PROMPTOPS_ACTOR="ada@example.com")
        run = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"
        return run.stdout

    def promptops(self, *arguments: str) -> str:
        return self._call(str(self.program), *arguments)

    def package(self, kind: str, *arguments: str, wheel: Path) -> dict[str, Any]:
        """Builds a package and returns what the command says of it."""
        report: dict[str, Any] = json.loads(self.promptops("package", kind, "--json", "--wheel", str(wheel), *arguments))
        assert report["written"] is True
        return report


@pytest.fixture(scope="session")
def wheel() -> Path:
    return given("PROMPTOPS_TEST_WHEEL")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"), given("PROMPTOPS_TEST_BINARY"))


@pytest.fixture(scope="session")
def layer_report(project: Project, wheel: Path) -> dict[str, Any]:
    """What is said of the layer, which lies in the project."""
    return project.package("lambda-layer", wheel=wheel)


@pytest.fixture(scope="session")
def layer(project: Project, layer_report: dict[str, Any]) -> Path:
    """The layer, unzipped with the modes that the ZIP says, as Lambda does."""
    return unzip(project.folder / "promptops-layer.zip", project.folder / "layer")


def unzip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            os.chmod(archive.extract(entry, folder), (entry.external_attr >> 16) & 0o777)
    return folder
