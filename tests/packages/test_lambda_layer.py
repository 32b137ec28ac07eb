"""The layer for Lambda: in AWS's emulator, in every Python of the machine, and against the API."""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from conftest import Project, plain_environment
from emulator import function
from moto import mock_aws

MEGABYTE = 1 << 20

HANDLER = """
import os, time
start = time.perf_counter()
from promptops import load_prompt
prompt = load_prompt("support.greeting")
COLD_MS = (time.perf_counter() - start) * 1000
import promptops

def handler(event, context):
    prompt = load_prompt("support.greeting")
    with prompt.invocation() as call:
        text = prompt.render(name=event["name"]).strip()
        call.record("Hello!")
    return {"text": text, "from": promptops.__file__, "digest": prompt.digest, "cold_ms": COLD_MS}
"""


def test_a_function_loads_its_prompts_from_the_layer(layer: Path) -> None:
    with function([layer], HANDLER, PROMPTOPS_EMF="1") as greet:
        first = greet.invoke({"name": "Ada"})
        second = greet.invoke({"name": "Grace"})
        assert first["text"] == "Write one warm sentence that greets Ada."
        assert second["text"] == "Write one warm sentence that greets Grace."
        assert first["from"] == "/opt/python/promptops/__init__.py"
        assert first["digest"].startswith("sha256:")
        # One metric line for each invocation, as CloudWatch reads them from the function's output.
        records = [json.loads(line) for line in greet.log().splitlines() if line.startswith('{"_aws"')]
        assert [record["service"] for record in records] == ["function", "function"], greet.log()


def test_what_a_function_names_goes_before_what_the_layer_holds(layer: Path, tmp_path: Path) -> None:
    handler = """
import promptops

def handler(event, context):
    try:
        return promptops.load_prompt("support.greeting").render(name="Ada").strip()
    except promptops.ConfigurationError as error:
        return str(error)
"""
    with function([layer], handler, PROMPTOPS_BUNDLE="/var/task/none.bundle") as greet:
        assert "/var/task/none.bundle" in greet.invoke({})


def test_it_is_laid_out_as_lambda_wants_it(project: Project, layer_report: dict[str, Any], wheel: Path) -> None:
    report = layer_report
    assert report["bytes_zipped"] < 15 * MEGABYTE
    path = project.folder / "promptops-layer.zip"
    assert path.stat().st_size == report["bytes_zipped"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert all(name.startswith("python/") for name in names)
        assert sum(entry.file_size for entry in archive.infolist()) == report["bytes_unzipped"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert {"python/promptops/__init__.py", "python/promptops/prompts.bundle"} <= set(names)
    assert names == sorted(names)
    assert "Requires-Dist: promptops-cli" not in metadata
    before = path.read_bytes()
    project.package("lambda-layer", wheel=wheel)
    assert path.read_bytes() == before, "the same lock and wheel gave other bytes"


def test_the_native_part_asks_for_no_more_than_manylinux2014_has(wheel: Path, layer_report: dict[str, Any]) -> None:
    assert layer_report["glibc"] == "2.17"
    assert layer_report["compatible_runtimes"] == [f"python3.{minor}" for minor in range(10, 15)]
    shown = subprocess.run([sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True)
    assert 'platform tag:\n"manylinux_2_17_x86_64"' in shown.stdout, shown.stdout


def pythons() -> list[str]:
    """Every CPython of this machine that the wheel is for, once per version."""
    places = ["/usr/bin/python3*", "/usr/local/bin/python3*", os.path.expanduser("~/.pyenv/versions/*/bin/python3")]
    found: dict[str, str] = {}
    for path in [sys.executable, *(path for place in places for path in sorted(glob.glob(place)))]:
        script = "import sys; print(sys.implementation.name, sys.version_info >= (3, 10), sys.version.split()[0])"
        run = subprocess.run([path, "-c", script], capture_output=True, text=True)
        name, is_supported, version = (*run.stdout.split(), "", "", "")[:3]
        if name == "cpython" and is_supported == "True":
            found.setdefault(version, path)
    return sorted(found.values())


@pytest.mark.parametrize("python", pythons())
def test_every_python_of_the_machine_takes_it(layer: Path, tmp_path: Path, python: str) -> None:
    script = "import promptops; print(promptops.load_prompt('support.greeting').render(name='Ada').strip())"
    environment = plain_environment(tmp_path, PYTHONPATH=str(layer / "python"))
    run = subprocess.run([python, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("Write one warm sentence that greets Ada.\n", ""), python


@mock_aws(config={"lambda": {"use_docker": False}})
def test_the_api_of_lambda_takes_what_the_report_says(project: Project, layer_report: dict[str, Any]) -> None:
    # moto holds no layer against Lambda's limits: the command does that itself.
    report = layer_report
    client = boto3.client("lambda", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
    published = client.publish_layer_version(
        LayerName="promptops",
        Content={"ZipFile": (project.folder / "promptops-layer.zip").read_bytes()},
        CompatibleRuntimes=report["compatible_runtimes"],
        CompatibleArchitectures=[report["architecture"]],
    )
    assert published["Content"]["CodeSize"] == report["bytes_zipped"]
    assert published["CompatibleRuntimes"] == report["compatible_runtimes"]
    assert client.get_layer_version(LayerName="promptops", VersionNumber=published["Version"])["Version"] == 1
