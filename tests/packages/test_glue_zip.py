"""The ZIP for Spark and Glue: imported as it is, by many processes at once, wherever files may or may not be written."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from conftest import Project, plain_environment
from moto import mock_aws

SCRIPT = """
import sys, promptops, promptops._promptops as native
print(promptops.load_prompt("support.greeting").render(name="Ada").strip())
print(promptops.__file__)
print(native.__file__)
"""


@pytest.fixture(scope="session")
def package(project: Project, wheel: Path) -> Path:
    report = project.package("glue-zip", wheel=wheel)
    path = project.folder / "promptops-glue.zip"
    assert path.stat().st_size == report["bytes_zipped"]
    return path


def imported(package: Path, folder: Path, prelude: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Imports the package from the ZIP in a process of its own, which works in `folder`."""
    environment = plain_environment(folder, PYTHONPATH=str(package), **variables)
    return subprocess.run([sys.executable, "-c", prelude + SCRIPT], cwd=folder, env=environment, capture_output=True, text=True)


def test_it_is_imported_without_being_unpacked(package: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    run = imported(package, tmp_path, PROMPTOPS_CACHE=str(kept))
    text, module, native = run.stdout.splitlines()
    assert text == "Write one warm sentence that greets Ada.", run.stderr
    assert module == f"{package}/promptops/__init__.py"
    assert Path(native).is_relative_to(kept)
    # Nobody else may change what is loaded.
    for folder in (Path(native).parent, Path(native).parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    again = imported(package, tmp_path, PROMPTOPS_CACHE=str(kept))
    assert again.stdout == run.stdout
    assert sorted(path.name for path in Path(native).parent.iterdir()) == ["_promptops.abi3.so", "prompts.bundle"]


def test_many_processes_may_import_it_at_once(package: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(12) as threads:
        runs = list(threads.map(lambda _: imported(package, tmp_path, PROMPTOPS_CACHE=str(tmp_path / "kept")), range(12)))
    assert {run.stdout.splitlines()[0] for run in runs} == {"Write one warm sentence that greets Ada."}, runs
    native = {run.stdout.splitlines()[2] for run in runs}
    assert len(native) == 1
    assert len(list(Path(native.pop()).parent.iterdir())) == 2, "a half-written file stayed behind"


def test_a_file_that_was_changed_or_cut_off_is_written_anew(package: Path, tmp_path: Path) -> None:
    variables = {"PROMPTOPS_CACHE": str(tmp_path / "kept")}
    native = Path(imported(package, tmp_path, **variables).stdout.splitlines()[2])
    whole = native.read_bytes()
    for spoiled in (whole[: len(whole) // 2], b"", whole[:-1] + b"\0"):
        native.chmod(0o700)
        native.write_bytes(spoiled)
        assert imported(package, tmp_path, **variables).stdout.startswith("Write one warm sentence")
        assert native.read_bytes() == whole


def test_a_folder_that_others_can_write_to_is_not_used(package: Path, tmp_path: Path) -> None:
    open_to_all = tmp_path / "kept" / f"native-{os.getuid()}"
    open_to_all.mkdir(parents=True)
    open_to_all.chmod(0o777)
    run = imported(package, tmp_path, PROMPTOPS_CACHE=str(tmp_path / "kept"), TMPDIR=str(tmp_path))
    assert Path(run.stdout.splitlines()[2]).is_relative_to(tmp_path / f"promptops-{os.getuid()}")
    assert list(open_to_all.iterdir()) == []


def test_it_needs_no_folder_that_can_be_written_to(package: Path, tmp_path: Path) -> None:
    # Every way to write a file fails as on a read-only file system, for whoever runs this, root too.
    prelude = """
import builtins, errno, os
def refuse(*arguments, **named):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
os.mkdir = os.makedirs = refuse
"""
    run = imported(package, tmp_path, prelude)
    text, _, native = run.stdout.splitlines()
    assert text == "Write one warm sentence that greets Ada.", run.stderr
    assert native.startswith("/proc/")


def test_a_full_disk_is_passed_over(package: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    environment = plain_environment(
        tmp_path, PYTHONPATH=str(package), PROMPTOPS_CACHE=str(small), TMPDIR=str(tmp_path), SCRIPT=SCRIPT
    )
    script = f'mount -t tmpfs -o size=1m none "{small}" && exec "{sys.executable}" -c "$SCRIPT"'
    run = subprocess.run(["unshare", "--mount", "sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    if "mount:" in run.stderr or "unshare:" in run.stderr:
        pytest.skip("this user may not mount a small disk")
    assert run.stdout.startswith("Write one warm sentence that greets Ada."), run.stderr
    assert Path(run.stdout.splitlines()[2]).is_relative_to(tmp_path / f"promptops-{os.getuid()}")


def test_an_altered_zip_is_not_loaded(package: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.zip"
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(altered, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            target.writestr(entry.filename, content + b"\0" if entry.filename.endswith(".so") else content)
    run = imported(altered, tmp_path, PROMPTOPS_CACHE=str(tmp_path / "kept"))
    assert run.returncode == 1
    assert "_promptops.abi3.so` in " in run.stderr and "was altered: build the package again" in run.stderr


JOB = """
import os, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.getOrCreate()
assert not [path for path in sys.path if "site-packages/promptops" in path]

@udf("string")
def render(number):
    import promptops
    text = promptops.load_prompt("support.greeting").render(name=f"person {number}").strip()
    return f"{os.getppid()}|{promptops.__file__}|{text}"

rows = [row[0].split("|") for row in spark.range(1000).repartition(4).select(render("id")).collect()]
texts = {text for _, _, text in rows}
assert texts == {f"Write one warm sentence that greets person {number}." for number in range(1000)}, len(texts)
print("ROWS", len(rows), "EXECUTORS", len({parent for parent, _, _ in rows}), "ZIPS", {name.rsplit("/", 3)[1] for _, name, _ in rows})
spark.stop()
"""


def test_executors_of_spark_render_from_the_zip(package: Path, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    submit = Path(sys.executable).parent / "spark-submit"
    command = [str(submit), "--master", "local-cluster[2,1,1024]", "--py-files", str(package)]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.bindAddress=127.0.0.1", "job.py"]
    environment = plain_environment(
        tmp_path, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1", SPARK_LOCAL_DIRS=str(tmp_path / "spark")
    )
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert "ROWS 1000 EXECUTORS 2 ZIPS {'promptops-glue.zip'}" in run.stdout, run.stdout + run.stderr


@mock_aws
def test_the_api_of_glue_takes_a_job_with_it(package: Path) -> None:
    credentials = {"region_name": "eu-central-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    arguments = {"--extra-py-files": f"s3://jobs/{package.name}"}
    glue = boto3.client("glue", **credentials)
    glue.create_job(
        Name="label",
        Role="arn:aws:iam::123456789012:role/glue",
        Command={"Name": "glueetl", "ScriptLocation": "s3://jobs/label.py", "PythonVersion": "3"},
        GlueVersion="5.0",
        DefaultArguments=arguments,
    )
    assert glue.get_job(JobName="label")["Job"]["DefaultArguments"] == arguments
    assert glue.start_job_run(JobName="label")["JobRunId"]
