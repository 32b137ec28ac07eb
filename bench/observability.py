"""The part of `run.py` that measures how invocations are recorded and asked about.

Durable ingest over HTTP: the server acknowledges after its log is synced, and ships to a lake on the same disk meanwhile. The load
generator has one core, the server the other and what is left of the first. Phoenix and MLflow take the same spans from the same
generator and acknowledge before anything is durable; what they stored is counted in their databases. Questions are asked of the lake
that the server wrote, by `promptops stats` and by DuckDB on the same files.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from server import free_port, server
from timing import run_command

HERE = Path(__file__).resolve().parent
BATCH, CONNECTIONS, SECONDS = 500, 8, 10
#: Half of what has to be reached, of JSON and of OTLP.
HALF = {"json": 50_000, "otlp": 25_000}
PEER_SECONDS, PEER_BATCH = 20, 100
ROWS = 10_000_000
WAIT_S = 600


@dataclass
class Watched:
    """A server under test."""

    process: subprocess.Popen
    port: int

    def memory_mb(self) -> float:
        """The most memory of its own that it has had, in MB: the peak of what is resident, files not counted where the system tells."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("the system does not tell the peak memory of a process")


class ObservabilityBench:
    """What is measured with, and where."""

    def __init__(self, promptops: str, programs: Path, scratch: Path, environment: dict[str, str], rounds: int) -> None:
        self.promptops = promptops
        self.programs = programs
        self.scratch = scratch
        self.environment = environment
        self.rounds = rounds

    def measure(self) -> dict[str, float | str]:
        figures: dict[str, float | str] = {}
        for form in ("json", "otlp"):
            figures |= self.ingest(form)
        figures |= self.phoenix()
        figures |= self.mlflow()
        return figures | self.questions()

    def project(self, name: str) -> Path:
        """A repository with a registry, so that there is something to serve."""
        folder = self.scratch / name
        (folder / "prompts").mkdir(parents=True)
        (folder / "promptops.toml").touch()
        for command in (["git", "init", "--quiet"], ["git", "add", "."], ["git", "commit", "--quiet", "--message", "Begin"], [self.promptops, "registry", "init"]):
            run_command(command, folder, self.environment)
        return folder

    @contextmanager
    def recording(self, project: Path) -> Iterator[Watched]:
        """Runs `promptops serve --record` until the block is left."""
        port = free_port()
        command = [self.promptops, "serve", "--record", "--listen", f"127.0.0.1:{port}", "--trust-loopback", "--log", "events", "--rate-limit", "0"]
        with server(command, project, port, self.environment) as process:
            yield Watched(process, port)

    def ingest(self, form: str) -> dict[str, float]:
        """Records as fast as they are acknowledged, and at half of the bar; medians of rounds, each with a lake of its own."""
        fast, half, memory, late = [], [], [], []
        for number in range(self.rounds):
            say(f"record over {form}, round {number + 1}")
            project = self.project(f"ingest-{form}-{number}")
            with self.recording(project) as watched:
                run = self.load(watched.port, form, SECONDS, 0)
                fast.append(run["per_second"])
                behind = time.perf_counter()
                self.wait_for_lake(project, run["records"])
                late.append(time.perf_counter() - behind)
                half.append(self.load(watched.port, form, SECONDS, HALF[form])["p99_ms"] / 1000)
                memory.append(watched.memory_mb())
        return {
            f"ingest_{form}_per_second": statistics.median(fast),
            f"ingest_{form}_half_p99_s": statistics.median(half),
            f"ingest_{form}_peak_rss_mb": max(memory),
            f"ingest_{form}_behind_s": statistics.median(late),
        }

    def load(self, port: int, form: str, seconds: float, rate: float, batch: int = BATCH, connections: int = CONNECTIONS, headers: tuple[str, ...] = ()) -> dict[str, float]:
        command = [self.programs / "load_ingest", f"127.0.0.1:{port}", form, str(batch), str(connections), str(seconds), str(rate), *headers]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=self.environment)
        return json.loads(done.stdout)

    def wait_for_lake(self, project: Path, records: int) -> None:
        """Returns when the lake holds as many records as were acknowledged; more is an error, as is waiting for long."""
        until = time.perf_counter() + WAIT_S
        while (found := self.count(project)) != records:
            if found > records or time.perf_counter() > until:
                raise SystemExit(f"{records} invocations were acknowledged, and {found} are in the lake")
            time.sleep(0.25)

    def count(self, project: Path) -> int:
        answer = subprocess.run([self.promptops, "query", "--format", "csv", "SELECT count(*) AS n FROM invocations"], cwd=project,
                                env=self.environment, capture_output=True, text=True, check=True)
        return int(answer.stdout.split()[-1])

    def phoenix(self) -> dict[str, float | str]:
        """Arize Phoenix on SQLite, with spans over OTLP."""
        say("record over otlp, Phoenix")
        folder = self.scratch / "phoenix"
        folder.mkdir()
        port = free_port()
        environment = self.environment | {
            "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_GRPC_PORT": str(free_port()), "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        command = [str(Path(sys.executable).parent / "phoenix"), "serve"]
        with server(command, folder, port, environment):
            rate = self.stored(port, folder / "phoenix.db")
        return {"ingest_phoenix_per_second": rate, "phoenix_version": version("arize-phoenix")}

    def mlflow(self) -> dict[str, float]:
        """MLflow's server on SQLite, with spans over OTLP."""
        say("record over otlp, MLflow")
        folder = self.scratch / "mlflow-traces"
        folder.mkdir()
        port = free_port()
        database = folder / "mlflow.db"
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}",
                   "--default-artifact-root", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        with server(command, folder, port, self.environment | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}):
            rate = self.stored(port, database, ("x-mlflow-experiment-id: 0",))
        return {"ingest_mlflow_per_second": rate}

    def stored(self, port: int, database: Path, headers: tuple[str, ...] = ()) -> float:
        """Spans a second, from the first that was sent until all that were acknowledged are in the database."""
        start = time.perf_counter()
        sent = self.load(port, "otlp", PEER_SECONDS, 0, PEER_BATCH, 4, headers)["records"]
        rows = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
        until = time.perf_counter() + WAIT_S
        while rows.execute("select count(*) from spans").fetchone()[0] < sent:
            if time.perf_counter() > until:
                raise SystemExit(f"{sent} spans were acknowledged, and not all are in {database}")
            time.sleep(0.1)
        rows.close()
        return sent / (time.perf_counter() - start)

    def questions(self) -> dict[str, float | str]:
        """`promptops stats` over many rows that the server wrote, next to DuckDB on the same files."""
        project = self.project("questions")
        say(f"fill a lake with {ROWS:,} invocations")
        with self.recording(project) as watched:
            records = 0
            while records < ROWS:
                records += self.load(watched.port, "json", 10, 0)["records"]
            self.wait_for_lake(project, records)
        run_command([self.promptops, "lake", "compact"], project, self.environment)
        files = sorted((project / ".promptops" / "lake").rglob("*.parquet"))
        size = sum(file.stat().st_size for file in files)
        for file in files:
            file.read_bytes()
        say(f"questions to {records:,} invocations in {len(files)} files")
        pattern = str(project / ".promptops" / "lake" / "invocations" / "*" / "*" / "*.parquet")
        ours = [self.promptops, "stats", "--format", "json"]
        theirs = [sys.executable, str(HERE / "peers" / "stats_duckdb.py"), pattern]
        times: dict[str, list[float]] = {"ours": [], "theirs": [], "theirs_inside": []}
        for number in range(self.rounds + 1):
            own = run_command(ours, project, self.environment).seconds
            peer = run_command(theirs, project, self.environment).seconds
            inside = float(subprocess.run(theirs, stdout=subprocess.PIPE, check=True, text=True).stdout.split()[-1])
            if number > 0:
                times["ours"].append(own)
                times["theirs"].append(peer)
                times["theirs_inside"].append(inside)
        return {
            "stats_s": statistics.median(times["ours"]),
            "stats_duckdb_s": statistics.median(times["theirs"]),
            "stats_duckdb_inside_s": statistics.median(times["theirs_inside"]),
            "stats_rows": float(records),
            "lake_bytes_per_record": size / records,
            "duckdb_version": version("duckdb"),
        }


def say(text: str) -> None:
    print(f"    {text}", flush=True)
