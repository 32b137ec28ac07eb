"""Writes cases.parquet with pyarrow: as most people who have Parquet write it (Snappy, nullable columns, several row groups)."""

import datetime
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

rows = {
    "id": ["a", "b", "c"],
    "message": ["my invoice\nis wrong", "größe", None],
    "critical": [True, False, None],
    "traffic": [2.5, 1.0, float("nan")],
    "n": pa.array([1, -2, 3], pa.int64()),
    "price": pa.array([0.1, 1.5, None], pa.float32()),
    "tags": [["x", "y"], [], None],
    "order": [{"id": 7, "open": True}, {"id": 8, "open": None}, None],
    "at": pa.array([datetime.datetime(2026, 5, 1, 12, 0, 0, 250000)] * 3, pa.timestamp("us", tz="UTC")),
}
pq.write_table(pa.table(rows), pathlib.Path(__file__).with_name("cases.parquet"), compression="snappy", row_group_size=2)
