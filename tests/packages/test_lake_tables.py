"""The lake as a table of other engines: the statements are read by parsers, and run by Spark and DuckDB, and by Trino when asked."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from conftest import given, plain_environment
from lake import PRICES, PROMPTS, RECORDS, Lake
from sqlglot import exp


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("lake"), given("PROMPTOPS_TEST_BINARY"))


def files_of(lake: Lake) -> str:
    return f"read_parquet('{lake.folder}/.promptops/lake/invocations/*/*/*.parquet', hive_partitioning = true)"


def close(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9))


def priced(record: dict[str, Any]) -> float | None:
    """Returns what a record costs by the table, computed apart from the view."""
    price = PRICES.get(record.get("responded_model", record["requested_model"]))
    if price is None or "input_tokens" not in record:
        return None
    plain = record["input_tokens"] - record["cached_tokens"]
    answer = record["output_tokens"] - record["reasoning_tokens"]
    dollars = plain * price["input"] + record["cached_tokens"] * price["cached_input"] + answer * price["output"]
    return (dollars + record["reasoning_tokens"] * price.get("reasoning", price["output"])) / 1e6


def compare_with_statistics(lake: Lake, rows: list[dict[str, Any]], latency: float) -> None:
    """Holds the rows of `by-prompt` against `promptops stats`; percentiles may differ by a share of `latency`."""
    expected = {
        (row["group"]["prompt"], int(row["group"]["version"]), row["group"]["model"]): row
        for row in lake.statistics("prompt", "version", "model")
    }
    assert len(rows) == len(expected) and sum(row["calls"] for row in rows) == RECORDS
    for row in rows:
        wanted = expected[row["prompt_id"], row["prompt_version"], row["model"]]
        assert (row["calls"], row["errors"]) == (wanted["invocations"], wanted["errors"])
        assert (row["input_tokens"], row["output_tokens"]) == (wanted["input_tokens"], wanted["output_tokens"])
        assert close(row["cost_usd"], wanted["cost_usd"])
        for percentile in ("p50", "p95", "p99"):
            ours = wanted[f"latency_{percentile}_ms"]
            # An estimate is worse where values are few.
            bound = latency * ours * (4 if percentile == "p99" else 1) + 1e-9
            assert abs(row[f"latency_{percentile}_ms"] - ours) <= bound, (percentile, row, wanted)


def compare_queries(lake: Lake, answers: dict[str, list[dict[str, Any]]]) -> None:
    """Holds the other queries against the records themselves."""
    records = lake.records
    assert {row["prompt_id"]: row["owner"] for row in answers["silent"]} == {"billing.refund": "billing's team"}
    calls = sum(row["calls"] for row in answers["cost-by-owner"])
    assert calls == RECORDS and {row["owner"] for row in answers["cost-by-owner"]} == set(PROMPTS.values())
    dollars = math.fsum(record.get("cost_usd", 0.0) for record in records)
    assert close(math.fsum(row["cost_usd"] or 0.0 for row in answers["cost-by-owner"]), dollars)
    kinds = sorted({record["error_type"] for record in records if "error_type" in record})
    assert sorted({row["error_type"] for row in answers["errors"]}) == kinds
    assert sum(row["errors"] for row in answers["errors"]) == sum(record["status"] == "error" for record in records)
    assert answers["duplicates"] == []
    slowest = [row["latency_ms"] for row in answers["slowest"]]
    assert len(slowest) == 100 and slowest == sorted(slowest, reverse=True)
    versions = [(row["prompt_id"], row["prompt_version"]) for row in answers["versions"]]
    assert versions == [(prompt, version) for prompt in sorted(PROMPTS) for version in (2, 1)]
    judged = [row for row in answers["scores"] if row["score"] == "judge"]
    values = [record["scores"]["judge"] for record in records if "scores" in record]
    assert sum(row["calls"] for row in judged) == len(values)
    assert close(max(row["highest"] for row in judged), max(values))
    for row in answers["versions"]:
        mine = [one for one in records if (one["prompt_id"], one["prompt_version"]) == (row["prompt_id"], row["prompt_version"])]
        known = [one["valid"] for one in mine if "valid" in one]
        assert close(row["valid_share"], sum(known) / len(known)), row
    shares: dict[tuple[Any, ...], float] = {}
    for row in answers["labels"]:
        key = (row["prompt_id"], row["prompt_version"], str(row["day"]))
        shares[key] = shares.get(key, 0.0) + row["share"]
    assert all(close(share, 1.0) for share in shares.values()) and len(shares) > 6
    assert sum(row["not_valid"] for row in answers["quality"]) == sum(record.get("valid") is False for record in records)


def test_every_statement_is_one_of_athena(lake: Lake) -> None:
    statements = lake.statements("athena-ddl", "--location", "s3://acme/lake", "--replace")
    for name, statement in statements.items():
        (parsed,) = sqlglot.parse(statement, read="athena", error_level=sqlglot.ErrorLevel.RAISE)
        # What the parser does not know it keeps as text.
        assert not isinstance(parsed, exp.Command) and not list(parsed.find_all(exp.Command)), name
    table = sqlglot.parse_one(statements["invocations"], read="athena")
    columns = [column.name for column in table.this.expressions]
    assert [*columns, "day", "hour"] == [row[0] for row in duckdb.sql(f"DESCRIBE FROM {files_of(lake)}").fetchall()]


def test_duckdb_answers_the_queries_of_athena(lake: Lake) -> None:
    """Athena itself is not to be had: its queries are put into DuckDB's words by another's translator."""
    statements = lake.statements("athena-ddl", "--location", "s3://acme/lake")
    queries = [path.stem[3:] for path in (lake.folder / "athena-ddl/queries").iterdir()]
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'; CREATE SCHEMA promptops")
    # Columns of the record are as they are in the files; times without a zone, as Athena has them.
    database.execute(
        f"CREATE VIEW promptops.invocations AS SELECT * REPLACE (time AT TIME ZONE 'UTC' AS time, CAST(day AS varchar) AS day) "
        f"FROM {files_of(lake)}"
    )

    def run(statement: str) -> list[dict[str, Any]]:
        # The translator knows no rows of a map.
        entries = "(SELECT unnest(map_keys(scores)) AS score, unnest(map_values(scores)) AS value)"
        translated = sqlglot.transpile(statement, read="athena", write="duckdb")[0]
        cursor = database.execute(translated.replace("UNNEST(scores) AS each_score(score, value)", f"LATERAL {entries}"))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    for view in ("invocations-last-day", "prompt-owners", "invocations-priced"):
        run(statements[view])
    answers = {name: run(statements[name]) for name in queries}
    compare_with_statistics(lake, answers["by-prompt"], latency=0.05)
    compare_queries(lake, answers)


SPARK_JOB = """
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[2]").config("spark.sql.session.timeZone", "America/New_York").getOrCreate()
statements = json.load(open(sys.argv[1]))
answers = {}
for name, statement in statements.items():
    frame = spark.sql(statement)
    if statement.lstrip("- ").split("\\n", 1)[1].startswith(("SELECT", "WITH")):
        answers[name] = [row.asDict() for row in frame.collect()]
for name, query in json.load(open(sys.argv[2])).items():
    answers[name] = [row.asDict() for row in spark.sql(query).collect()]
json.dump(answers, open(sys.argv[3], "w"), default=str)
spark.stop()
"""


def test_spark_reads_the_lake_and_counts_as_we_do(lake: Lake, tmp_path: Path) -> None:
    statements = lake.statements("spark-ddl", "--location", f"file://{lake.folder}/.promptops/lake")
    more = {
        "last-day": "SELECT count(*) AS calls FROM invocations_last_day",
        "priced": "SELECT invocation_id, priced_usd FROM invocations_priced",
        "types": "DESCRIBE invocations",
        "one-day": "SELECT day, count(*) AS calls FROM invocations GROUP BY day ORDER BY day",
    }
    for name, content in (("statements", statements), ("more", more)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "job.py").write_text(SPARK_JOB)
    environment = plain_environment(tmp_path, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    run = subprocess.run(
        [sys.executable, "job.py", "statements.json", "more.json", "answers.json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    answers = json.loads((tmp_path / "answers.json").read_text())
    # Spark's percentiles are exact, and by the same definition.
    compare_with_statistics(lake, answers["by-prompt"], latency=1e-12)
    compare_queries(lake, answers)
    by_id = {record["invocation_id"]: record for record in lake.records}
    assert len(answers["priced"]) == RECORDS
    for row in answers["priced"]:
        assert close(row["priced_usd"], priced(by_id[row["invocation_id"]])), row
    assert 0 < answers["last-day"][0]["calls"] < RECORDS
    # The day is a text and UTC's, also where the session is elsewhere.
    days = {row["group"]["day"]: row["invocations"] for row in lake.statistics("day")}
    assert {row["day"]: row["calls"] for row in answers["one-day"]} == days


TRINO = "476"


def trino_server(folder: Path) -> Path:
    """Fetches the server with Maven's client, keeps of its plugins the one of Hive, and returns where it is."""
    repository = Path(os.environ.get("HOME", "/root")) / ".m2/repository/io/trino/trino-server" / TRINO
    archive = repository / f"trino-server-{TRINO}.tar.gz"
    if not archive.is_file():
        artifact = f"io.trino:trino-server:{TRINO}:tar.gz"
        command = ["mvn", "--batch-mode", "--quiet", "dependency:get", f"-Dartifact={artifact}", "-Dtransitive=false"]
        subprocess.run(command, check=True)
    server = folder / "server"
    server.mkdir()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(server), "--strip-components=1"], check=True)
    for plugin in (server / "plugin").iterdir():
        if plugin.name != "hive":
            shutil.rmtree(plugin)
    return server


@contextmanager
def trino(folder: Path, java_home: str) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Runs a server whose catalog `hive` is a folder, and gives what asks it."""
    server = trino_server(folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    files = {
        "node.properties": f"node.environment=test\nnode.data-dir={folder}/data\n",
        "jvm.config": "-Xmx2G\n-XX:+UseG1GC\n-Djdk.attach.allowAttachSelf=true\n",
        "config.properties": "coordinator=true\nnode-scheduler.include-coordinator=true\ndiscovery.uri="
        f"{url}\nhttp-server.http.port={url.rsplit(':', 1)[1]}\ncatalog.management=static\n",
        "catalog/hive.properties": "connector.name=hive\nhive.metastore=file\nhive.metastore.catalog.dir=local:///metastore\n"
        f"fs.native-local.enabled=true\nlocal.location={folder}/files\nhive.partition-projection-enabled=true\n"
        "hive.ignore-absent-partitions=true\nhive.non-managed-table-writes-enabled=true\n",
    }
    for name, text in files.items():
        (server / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (server / "etc" / name).write_text(text)

    def ask(sql: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{url}/v1/statement", data=sql.encode(), headers={"X-Trino-User": "test"})
        rows: list[list[Any]] = []
        names: list[str] = []
        while True:
            with urllib.request.urlopen(request, timeout=60) as response:
                said = json.load(response)
            assert "error" not in said, f"{sql}: {said.get('error', {}).get('message')}"
            names = [column["name"] for column in said.get("columns", [])] or names
            rows += said.get("data", [])
            if "nextUri" not in said:
                return [dict(zip(names, row, strict=True)) for row in rows]
            request = urllib.request.Request(said["nextUri"])

    environment = {**os.environ, "JAVA_HOME": java_home, "PATH": f"{java_home}/bin:{os.environ['PATH']}"}
    with (folder / "trino.log").open("wb") as log:
        process = subprocess.Popen([str(server / "bin/launcher"), "run"], env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 180
        while b"SERVER STARTED" not in (folder / "trino.log").read_bytes():
            assert process.poll() is None and time.monotonic() < end, (folder / "trino.log").read_text()[-3000:]
            time.sleep(0.5)
        yield ask
    finally:
        process.terminate()
        process.wait(60)


def test_trino_reads_the_lake_through_its_table(lake: Lake, tmp_path: Path) -> None:
    if os.environ.get("PROMPTOPS_TEST_TRINO") != "1":
        pytest.skip("Trino was not asked: PROMPTOPS_TEST_TRINO=1 fetches its server, 0.8 GB, with mvn, and takes a Java of 24 or later")
    homes = [os.environ.get("PROMPTOPS_TEST_TRINO_JAVA_HOME", ""), *sorted(map(str, Path("/usr/lib/jvm").glob("*-2[4-9]*")))]
    java_home = next((home for home in homes if Path(home, "bin/java").is_file()), None)
    assert java_home, "no Java of 24 or later: name one with PROMPTOPS_TEST_TRINO_JAVA_HOME"
    statements = lake.statements("trino-ddl", "--location", "local:///lake", "--replace")
    shutil.copytree(lake.folder / ".promptops/lake", tmp_path / "files/lake")
    with trino(tmp_path, java_home) as ask:
        answers = {name: ask(statement) for name, statement in statements.items()}
        compare_with_statistics(lake, answers["by-prompt"], latency=0.05)
        compare_queries(lake, answers)
        by_id = {record["invocation_id"]: record for record in lake.records}
        rows = ask("SELECT invocation_id, priced_usd, CAST(time AS varchar) AS time FROM hive.promptops.invocations_priced")
        assert len(rows) == RECORDS
        for row in rows:
            record = by_id[row["invocation_id"]]
            assert close(row["priced_usd"], priced(record)), row
            # To the millisecond, as the table is declared; rounded, so the last digit may differ.
            assert row["time"][:19] == record["time"][:19].replace("T", " ") or row["time"][20:] == "000", (row, record["time"])
        folders = "SELECT count(*) AS folders FROM (SELECT DISTINCT day, hour FROM hive.promptops.invocations)"
        assert ask(folders)[0]["folders"] == len(list((lake.folder / ".promptops/lake/invocations").glob("day=*/hour=*")))
