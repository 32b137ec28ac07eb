"""Computes from the CSV itself what the lake must say of it, with nothing but the standard library.

Usage: python3 llmdrift_expected.py OPINIONQA_EVAL.csv; prints one JSON object.
"""

import csv
import datetime
import hashlib
import json
import math
import statistics
import sys


def label(answer):
    """The letter of "(A). x", "(A) x", "A. x" or "A"; nothing otherwise. Written without a regular expression."""
    rest = answer[1:] if answer.startswith("(") else answer
    letter, following = rest[:1], rest[1:2]
    return letter if "A" <= letter <= "Z" and following in ("", ")", ".") else None


def percentiles(values):
    if len(values) == 1:
        return values * 3
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return [cuts[49], cuts[94], cuts[98]]


def summary(rows):
    times = sorted(row["time"] for row in rows)
    return {
        "count": len(rows),
        "latency_ms": percentiles([float(row["latency"]) * 1000 for row in rows]),
        "output_tokens": sum(int(row["answer_token"]) for row in rows),
        "cost_usd": math.fsum(float(row["cost"]) for row in rows),
        "first": times[0].isoformat(),
        "last": times[-1].isoformat(),
    }


def grouped(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [[list(group), summary(members)] for group, members in groups.items()]


def main():
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["time"] = datetime.datetime.strptime(row["timestamp"], "%m/%d/%Y, %H:%M:%S").replace(
            tzinfo=datetime.timezone.utc
        )
        row["name"] = row["model"].split("/", 1)[1]
        row["label"] = label(row["answer"])
    print(
        json.dumps(
            {
                "all": summary(rows),
                "model": grouped(rows, lambda row: (row["name"],)),
                "model_label": grouped(rows, lambda row: (row["name"], row["label"])),
                "day": grouped(rows, lambda row: (row["time"].strftime("%Y-%m-%d"),)),
                "hours": sorted({row["time"].strftime("day=%Y-%m-%d/hour=%H") for row in rows}),
                "valid_share": {
                    name: statistics.fmean(row["label"] is not None for row in rows if row["name"] == name)
                    for name in sorted({row["name"] for row in rows})
                },
                "distinct_inputs": len({hashlib.sha256(row["query"].encode()).hexdigest() for row in rows}),
                "output_characters": sum(len(row["answer"]) for row in rows),
                "slow_dear": sorted(
                    [row["name"], row["answer_token"]]
                    for row in rows
                    if float(row["latency"]) > 10 and float(row["cost"]) > 0.003
                ),
            }
        )
    )


main()
