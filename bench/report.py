"""Writes the figures of a run into `results.json`, and as a table between the marks of `README.md`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

START, END = "<!-- results: start -->", "<!-- results: end -->"

#: What is measured, and may be measured alone: each part says by itself of which revision its figures are.
PARTS = {"check": "Check", "runtime": "Load, render, record", "registry": "Registry", "evaluations": "Evals", "observability": "Record and ask"}

Figures = dict[str, float | str]


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: a ratio to another tool, or a bound of its own."""

    what: str
    figure: str
    peer: str | None = None
    at_least_times: float | None = None
    at_least: float | None = None
    below: float | None = None

    def row(self, figures: Figures) -> tuple[list[str], bool]:
        """Returns the cells of the table, and whether the bar is met."""
        ours = figures[self.figure]
        theirs = figures[self.peer] if self.peer else None
        is_rate = self.figure.endswith("_per_second")
        ratio = (ours / theirs if is_rate else theirs / ours) if theirs is not None else None
        met = True
        bar = "—"
        if self.at_least_times is not None:
            met, bar = ratio >= self.at_least_times, f"≥ {self.at_least_times:g}×"
        elif self.at_least is not None:
            met, bar = ours >= self.at_least, f"≥ {human(self.figure, self.at_least)}"
        elif self.below is not None:
            met, bar = ours < self.below, f"< {human(self.figure, self.below)}"
        cells = [
            self.what,
            human(self.figure, ours),
            human(self.peer, theirs) if self.peer else "—",
            f"{ratio:.1f}×" if ratio is not None else "—",
            bar,
            "yes" if met else "**no**",
        ]
        return cells, met


BARS = [
    Bar("check 10,000 prompts, no cache; validator", "check_cold_s", "check_validator_s", at_least_times=8),
    Bar("check 10,000 prompts, no cache; validator with template analysis", "check_cold_s", "check_validator_deep_s", at_least_times=30),
    Bar("check 10,000 prompts again, nothing changed; validator", "check_warm_s", "check_validator_s", at_least_times=40),
    Bar("check 10,000 prompts again, one changed; validator", "check_changed_s", "check_validator_s", at_least_times=40),
    Bar("check 10,000 prompts, most memory; validator", "check_peak_rss_mb", "check_validator_peak_rss_mb", below=300),
    Bar("start: check 10 prompts, no cache", "start_s", below=0.050),
    Bar("load by id and version, warm, Rust; Langfuse's SDK", "load_rust_ns", "load_langfuse_ns", below=1_000),
    Bar("load by id and version, warm, Python; Langfuse's SDK", "load_python_ns", "load_langfuse_ns", below=2_000),
    Bar("load by id and version, warm, Node; Langfuse's SDK for Python", "load_node_ns", "load_langfuse_ns", below=2_000),
    Bar("load by id and version, warm, Python; MLflow's client", "load_python_ns", "load_mlflow_ns", below=2_000),
    Bar("import and first load from a bundle, Python; the playbook's loader", "first_load_python_s", "first_load_playbook_s", at_least_times=5),
    Bar("import and first load from a bundle, Python", "first_load_python_s", below=0.015),
    Bar("layer for Lambda with the SDK and one prompt, zipped", "layer_mb", below=15),
    Bar("record an invocation to standard output, Python", "record_python_ns", below=20_000),
    Bar("record an invocation to standard output, Node", "record_node_ns", below=20_000),
    Bar("render 2 KB with a loop, Rust; Jinja2", "render_rust_ns", "render_jinja2_ns", at_least_times=10),
    Bar("the same by the template engine, as templates that call filters are; Jinja2", "render_rust_engine_ns", "render_jinja2_ns"),
    Bar("render 2 KB with a loop, Python; Jinja2", "render_python_ns", "render_jinja2_ns", at_least_times=5),
    Bar("render 2 KB with a loop, Node; Jinja2", "render_node_ns", "render_jinja2_ns"),
    Bar("render 2 KB, Rust; str.format without a loop", "render_rust_ns", "render_format_ns"),
    Bar("open a bundle of 10,000 prompts and load one", "bundle_open_and_load_ns", below=5_000_000),
    Bar("resolve through the server; MLflow's server", "serve_per_second", "serve_mlflow_per_second", at_least=20_000),
    Bar("the slowest in a hundred of these; MLflow's server", "serve_p99_s", "serve_mlflow_p99_s", below=0.010),
    Bar("eval 1,000 cases, no latency; promptfoo", "eval_s", "eval_promptfoo_s", at_least_times=50),
    Bar("eval 1,000 cases, no latency; inspect-ai", "eval_s", "eval_inspect_s"),
    Bar("processor time for each of these; promptfoo", "eval_cpu_per_case_s", "eval_cpu_per_case_promptfoo_s", below=0.000_3),
    Bar("processor time for each of these; inspect-ai", "eval_cpu_per_case_s", "eval_cpu_per_case_inspect_s", below=0.000_3),
    Bar("eval 1,000 cases, 200 ms latency, 100 at a time (ideal 2 s); promptfoo", "eval_latency_s", "eval_latency_promptfoo_s", below=2.2),
    Bar("eval 1,000 cases, 200 ms latency, 100 at a time (ideal 2 s); inspect-ai", "eval_latency_s", "eval_latency_inspect_s", below=2.2),
    Bar("eval 100,000 cases, asked and recorded", "eval_many_s"),
    Bar("eval 100,000 cases, most memory", "eval_many_peak_rss_mb", below=200),
    Bar("eval 100,000 cases, replayed", "eval_many_replayed_s"),
    Bar("start: eval of one recorded case; promptfoo, of one case", "eval_start_s", "eval_start_promptfoo_s", below=0.050),
    Bar("start: eval of one recorded case; inspect-ai, of one case", "eval_start_s", "eval_start_inspect_s", below=0.050),
    Bar("record over HTTP, JSON, acknowledged when synced; Phoenix, spans stored", "ingest_json_per_second", "ingest_phoenix_per_second", at_least=100_000),
    Bar("record over OTLP, acknowledged when synced; Phoenix, spans stored", "ingest_otlp_per_second", "ingest_phoenix_per_second", at_least=50_000),
    Bar("record over OTLP, acknowledged when synced; MLflow, spans stored", "ingest_otlp_per_second", "ingest_mlflow_per_second", at_least=50_000),
    Bar("the slowest acknowledgement in a hundred at 50,000 a second, JSON", "ingest_json_half_p99_s", below=0.100),
    Bar("the slowest acknowledgement in a hundred at 25,000 a second, OTLP", "ingest_otlp_half_p99_s", below=0.100),
    Bar("record over JSON, most memory", "ingest_json_peak_rss_mb", below=300),
    Bar("record over OTLP, most memory", "ingest_otlp_peak_rss_mb", below=300),
    Bar("until the lake has what was recorded in ten seconds, JSON", "ingest_json_behind_s"),
    Bar("until the lake has what was recorded in ten seconds, OTLP", "ingest_otlp_behind_s"),
    Bar("bytes of a record in the lake", "lake_bytes_per_record", below=110),
    Bar("`promptops stats` over 10 million invocations; DuckDB's command for Python, whole", "stats_s", "stats_duckdb_s", at_least_times=1),
    Bar("`promptops stats` over 10 million invocations; DuckDB's question alone", "stats_s", "stats_duckdb_inside_s", below=1),
    Bar("publish 1,000 changed prompts to S3 on loopback", "publish_s3_s", below=20),
]


def write(folder: Path, figures: Figures, parts: dict[str, dict], machine: dict[str, str | int]) -> bool:
    """Writes both files, prints the table, and says whether every bar is met."""
    node = f"Node {figures['node_version']}, " if "node_version" in figures else ""
    # What cannot be measured where it runs is left out of the table, and said on the way.
    rows = [bar.row(figures) for bar in BARS if bar.figure in figures and (bar.peer is None or bar.peer in figures)]
    table = ["| What; next to what | PromptOps | the other | ratio | bar | met |", "|---|---:|---:|---:|---:|---|"]
    table += ["| " + " | ".join(cells) + " |" for cells, _ in rows]
    measured = [f"* {PARTS[name]}: PromptOps {part['revision']}, {part['date']}, medians of {part['rounds']} rounds." for name, part in parts.items()]
    text = "\n".join([
        "The page cache is warm for both sides. Each part was measured in one run.",
        "",
        f"* Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}.",
        f"* Versions: {machine['rustc']}, Python {machine['python']}, {node}PyYAML {machine['pyyaml']} "
        f"(C loader), Jinja2 {figures['jinja2_version']}, Langfuse {figures['langfuse_version']} (its server mocked), MLflow {figures['mlflow_version']}, "
        f"inspect-ai {figures['inspect_version']}, promptfoo {figures['promptfoo_version']}"
        + (f", Phoenix {figures['phoenix_version']}, DuckDB {figures['duckdb_version']}." if "duckdb_version" in figures else "."),
        *measured,
        "",
        *table,
    ])
    readme = folder / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")
    results = {"machine": machine, "parts": parts, "figures": figures}
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print("\n".join(table))
    return all(met for _, met in rows)


def revision() -> str:
    """Returns the revision that is measured."""
    return said("git", "rev-parse", "--short", "HEAD")


def today() -> str:
    """Returns the day, UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def before(folder: Path) -> dict:
    """Returns what the run before wrote down."""
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def runners(promptfoo: Path | None) -> Figures:
    """Returns the versions of the tools that run evals."""
    # Below its root lie others, which only tell how its files are read.
    files = [folder / "package.json" for folder in promptfoo.parents] if promptfoo else []
    packages = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
    known = next((package["version"] for package in packages if package.get("name") == "promptfoo"), "not measured")
    return {"inspect_version": version("inspect-ai"), "promptfoo_version": known}


def human(figure: str, value: float) -> str:
    """Writes a figure in the unit that its name ends with, or a smaller one that reads better."""
    if figure.endswith("_mb"):
        return f"{value:.1f} MB" if value < 10 else f"{value:.0f} MB"
    if figure.endswith("_per_second"):
        return f"{value:,.0f}/s"
    if figure.endswith("_bytes_per_record"):
        return f"{value:.0f} B"
    seconds = value / 1e9 if figure.endswith("_ns") else value
    for unit, size, digits in (("s", 1, 2), ("ms", 1e-3, 1), ("µs", 1e-6, 2)):
        if seconds >= size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def describe_machine() -> dict[str, str | int]:
    """Returns what the figures depend on besides the code."""
    information = Path("/proc/cpuinfo")
    names = [line.partition(": ")[2] for line in information.read_text().splitlines() if line.startswith("model name")] if information.exists() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "rustc": said("rustc", "--version"),
        "python": platform.python_version(),
        "pyyaml": version("pyyaml"),
    }


def said(*command: str) -> str:
    """Returns what a command prints, in this folder."""
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()
