"""Measuring in fresh processes in alternating rounds, so that drift affects all variants alike."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from benchmarks import scale

ROUNDS = scale.rounds(5)


def interleaved(variants: Mapping[str, str], *, rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Run each variant once per round, in alternating order; return the median of each of its figures.

    A variant is Python code that prints one JSON object of figures.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for number in range(rounds):
        names = list(variants) if number % 2 == 0 else list(variants)[::-1]
        for name in names:
            found[name].append(figures_of(variants[name]))
    return {
        name: {key: median(figures[key] for figures in runs) for key in runs[0]}
        for name, runs in found.items()
    }


def figures_of(code: str) -> dict[str, float]:
    """Run *code* in a new process; return the figures that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RuntimeError(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def cpu_per_poll(polls: Callable[[], int], *, warm: int, seconds: float) -> float:
    """Return the CPU microseconds (user and system) per poll of this process.

    *polls* returns the number of polls so far; the first *warm* polls are not measured.
    """
    while polls() < warm:  # noqa: ASYNC110 - the measured code must not set events for us
        await asyncio.sleep(0.01)
    started, before = time.process_time(), polls()
    await asyncio.sleep(seconds)
    while polls() == before:  # noqa: ASYNC110 - on a busy machine nothing may have run yet
        await asyncio.sleep(0.01)
    used, done = time.process_time() - started, polls() - before
    return used / done * 1e6


def memory(what: str) -> float:
    """Return this process's memory in MB: `VmRSS` at present, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def print_figures(**figures: float) -> None:
    """Print figures as JSON for the parent process."""
    print(json.dumps(figures))
