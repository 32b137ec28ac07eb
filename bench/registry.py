"""The part of `run.py` that measures the registry: bundles, publishing to S3, and answers of the server."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from generate_prompts import generate
from server import free_port, server

HERE = Path(__file__).resolve().parent
SEED = 2
PROMPTS, CHANGED, MLFLOW_PROMPTS = 10_000, 1_000, 500
CONNECTIONS, SECONDS = 32, 5
PUBLISHES = 3


class RegistryBench:
    """What is measured with, and where."""

    def __init__(
        self,
        promptops: str,
        programs: Path,
        scratch: Path,
        environment: dict[str, str],
        s3: str | None,
    ) -> None:
        self.promptops = promptops
        self.programs = programs
        self.scratch = scratch
        self.environment = environment
        self.s3 = s3

    def measure(self) -> dict[str, float | str]:
        project = self.project("registry", PROMPTS)
        figures = {**self.bundle(project), **self.serve(project)}
        if self.s3 is None:
            print("    publishing to S3 is not measured: there is no server")
            return figures
        return {**figures, **self.publish()}

    def project(self, name: str, count: int) -> Path:
        """A repository with first versions of `count` prompts, committed."""
        folder = self.scratch / name
        generate(folder, count, SEED, first_versions=True)
        (folder / "promptops.toml").touch()
        self.run(["git", "init", "--quiet", "--initial-branch", "main"], folder)
        self.commit(folder, "First versions")
        return folder

    def commit(self, folder: Path, message: str) -> None:
        self.run(["git", "add", "."], folder)
        self.run(["git", "commit", "--quiet", "--message", message], folder)

    def run(self, command: list[str], folder: Path, environment: dict[str, str] | None = None) -> float:
        """Runs a command that must succeed, and returns its seconds."""
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment or self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr[-2000:]}")
        return time.perf_counter() - start

    def bundle(self, project: Path) -> dict[str, float]:
        """Opens a bundle of all prompts and loads one, each time in a loader of its own."""
        print(f"    bundle of {PROMPTS} prompts", flush=True)
        for command in (["registry", "init"], ["publish"], ["deploy", "--env", "prod"], ["lock", "--env", "prod"], ["bundle"]):
            self.run([self.promptops, *command], project)
        one = self.ids(project)[PROMPTS // 2]
        answer = subprocess.run([self.programs / "bench_bundle", project / "prompts.bundle", one], capture_output=True, check=True)
        return {"bundle_open_and_load_ns": json.loads(answer.stdout)["open_and_load_ns"]}

    def ids(self, project: Path) -> list[str]:
        folder = project / "prompts"
        return [".".join(file.relative_to(folder).with_suffix("").parts) for file in sorted(folder.rglob("*.yaml"))]

    def serve(self, project: Path) -> dict[str, float | str]:
        """Asks `promptops serve` and MLflow's server for one version after the other, with the same load generator."""
        paths = [f"/v1/prompts/{id}/versions/1" for id in self.ids(project)]
        print(f"    resolve through the server, {CONNECTIONS} connections", flush=True)
        port = free_port()
        serve = [self.promptops, "serve", "--listen", f"127.0.0.1:{port}", "--trust-loopback", "--log", "events", "--rate-limit", "0"]
        with server(serve, project, port, self.environment):
            ours = self.load(port, paths)
        print("    resolve through MLflow's server", flush=True)
        database = self.scratch / "mlflow.db"
        registered = subprocess.run([sys.executable, HERE / "peers" / "register_mlflow.py", database, project / "prompts",
                                     str(MLFLOW_PROMPTS)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        peer = json.loads(registered.stdout.splitlines()[-1])
        port = free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}",
                   "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
        quiet = self.environment | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        with server(command, self.scratch, port, quiet):
            theirs = self.load(port, peer["paths"])
        return {
            "serve_per_second": ours["per_second"],
            "serve_p99_s": ours["p99_us"] / 1e6,
            "serve_mlflow_per_second": theirs["per_second"],
            "serve_mlflow_p99_s": theirs["p99_us"] / 1e6,
            "mlflow_version": peer["version"],
        }

    def load(self, port: int, paths: list[str]) -> dict[str, float]:
        """The median of three runs of the load generator, by answers a second."""
        file = self.scratch / f"paths-{port}.txt"
        file.write_text("\n".join(paths) + "\n", encoding="utf-8")
        command = [self.programs / "load_http", f"127.0.0.1:{port}", file, str(CONNECTIONS), str(SECONDS)]
        runs = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(3)]
        return sorted(runs, key=lambda run: run["per_second"])[1]

    def publish(self) -> dict[str, float]:
        """Publishes a new version of each of many prompts to a real S3 server on loopback."""
        print(f"    publish {CHANGED} changed prompts to S3", flush=True)
        project = self.project("publish", CHANGED)
        settings = json.loads(self.s3)
        environment = self.environment | settings["environment"]
        registry = ["--registry", f"s3://{settings['bucket']}/bench-{os.getpid()}"]
        for command in (["registry", "init"], ["publish"]):
            self.run([self.promptops, *registry, *command], project, environment)
        seconds = []
        for version in range(2, 2 + PUBLISHES):
            for file in (project / "prompts").rglob("*.yaml"):
                head, _, template = file.read_text(encoding="utf-8").partition("template: |\n")
                lines = [line for line in head.splitlines() if not line.startswith(("version:", "parent:"))]
                lines[1:1] = [f"version: {version}", f"parent: {version - 1}"]
                file.write_text("\n".join(lines) + f"\ntemplate: |\n{template}  Version {version}.\n", encoding="utf-8")
            self.commit(project, f"Version {version}")
            seconds.append(self.run([self.promptops, *registry, "publish"], project, environment))
        return {"publish_s3_s": statistics.median(seconds)}
