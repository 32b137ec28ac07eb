"""The wheels for pip inside a Glue job: installed by pip, without a network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from conftest import Project, plain_environment

SCRIPT = "import promptops; print(promptops.load_prompt('support.greeting').render(name='Ada').strip())"


def installed(tmp_path: Path, *arguments: str) -> str:
    """Installs with pip into a folder, without an index, and returns what the SDK in it renders."""
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--quiet", "--disable-pip-version-check", "--target", str(target)]
    run = subprocess.run([*pip, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    environment = plain_environment(tmp_path, PYTHONPATH=str(target))
    return subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True).stdout


def test_pip_installs_what_is_in_the_zip(project: Project, wheel: Path, tmp_path: Path) -> None:
    report = project.package("glue-wheels", wheel=wheel)
    assert report["file"] == "promptops.gluewheels.zip"
    with zipfile.ZipFile(project.folder / report["file"]) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert names[1:] == ["wheels/requirements.txt"] and names[0].endswith("_x86_64.whl")
    text = installed(tmp_path, "--find-links", "wheels", "--requirement", "wheels/requirements.txt")
    assert text == "Write one warm sentence that greets Ada.\n"


def test_a_folder_has_the_same_wheel(project: Project, layer_report: dict[str, Any], wheel: Path, tmp_path: Path) -> None:
    project.package("glue-wheels", "--out", "wheels", wheel=wheel)
    built = next((project.folder / "wheels").glob("*.whl"))
    # The digest of the prompts tells two wheels of one version apart.
    digest = layer_report["prompts"]["digest"].removeprefix("sha256:")
    assert built.name.startswith(f"promptops-0.1.0-0{digest[:12]}-cp310-abi3-manylinux")
    assert installed(tmp_path, str(built)) == "Write one warm sentence that greets Ada.\n"
