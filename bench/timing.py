"""Times commands and calls. Standard library only, so that every environment measured can use it."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CommandRun:
    """One run of a command, from before it is started to after it is reaped."""

    seconds: float
    peak_rss_mb: float


def run_command(command: Sequence[str], folder: Path, environment: dict[str, str]) -> CommandRun:
    """Runs a command that must succeed, its output thrown away, and returns its time and its own peak memory."""
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.stderr.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode} in {folder}\n{complaint.decode()[-2000:]}")
    # The kernel counts the memory of this process until the command replaced it; it is about 15 MB.
    return CommandRun(seconds, usage.ru_maxrss / 1024)


def nanoseconds_per_call(call: Callable[[], object], runs: int = 5, calls: int = 20_000) -> float:
    """Returns the median over `runs` of the mean time of one call, with the loop around it, after a warm-up."""
    times = []
    for _ in range(calls // 10):
        call()
    for _ in range(runs):
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        times.append((time.perf_counter_ns() - start) / calls)
    return statistics.median(times)
