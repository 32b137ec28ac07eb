"""The command that comes with the SDK: `pip install promptops` brings it, and it finds the SDK that it came with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import Project, given, plain_environment


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Path]:
    """A fresh environment into which pip installed `promptops`, from the two wheels and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    links = [f"--find-links={wheel.parent}", f"--find-links={given('PROMPTOPS_TEST_COMMAND_WHEEL').parent}"]
    subprocess.run([*pip, *links, "promptops"], check=True)
    yield folder


def run(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(environment / "bin/promptops"), *arguments]
    return subprocess.run(command, cwd=folder, env=plain_environment(folder), capture_output=True, text=True)


def test_pip_brings_the_command_of_the_same_version(environment: Path, wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    version = metadata["Version"]
    assert f"promptops-cli=={version}" in metadata.get_all("Requires-Dist", [])
    assert run(environment, tmp_path, "--version").stdout == f"promptops {version}\n"
    assert run(environment, tmp_path, "no-such-command").returncode == 2


def test_the_command_packs_the_sdk_that_it_came_with(
    environment: Path, project: Project, layer_report: dict[str, object]
) -> None:
    shown = run(environment, project.folder, "package", "lambda-layer", "--dry-run", "--json")
    report = json.loads(shown.stdout)
    assert report["sdk"]["origin"].startswith(str(environment)), report["sdk"]
    # What was installed gives the same bytes as the wheel it was installed from.
    assert report["digest"] == layer_report["digest"]
