"""The lake as a table of other engines: the statements are read by parsers, and run by Spark and DuckDB, and by Trino when asked."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
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
    price = PRICES["models"].get(record.get("responded_model", record["requested_model"]))
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
