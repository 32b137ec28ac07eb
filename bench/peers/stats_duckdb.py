"""What `promptops stats` answers, asked of DuckDB on the same files. Prints the seconds of the question alone."""

from __future__ import annotations

import sys
import time

import duckdb

start = time.perf_counter()
rows = duckdb.connect().sql(f"""
    SELECT prompt_id, prompt_version, coalesce(responded_model, requested_model) AS model, count(*), sum((status = 'error')::INT),
           quantile_cont(latency_ms, [0.5, 0.95, 0.99]), sum(input_tokens), sum(output_tokens), sum(cost_usd), min(time), max(time)
    FROM read_parquet('{sys.argv[1]}') GROUP BY ALL ORDER BY ALL
""").fetchall()
print(len(rows), time.perf_counter() - start)
