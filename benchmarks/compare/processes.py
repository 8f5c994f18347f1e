"""Measuring in fresh processes, round by round, so that what drifts hurts everybody alike."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median

ROUNDS = 5


def interleaved(variants: Mapping[str, str], *, rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Run each variant once per round, forwards and backwards in turn; return the median of each of its figures.

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
    """Run *code* in a fresh process; return the figures that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RuntimeError(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def cpu_per_poll(polls: Callable[[], int], *, warm: int, seconds: float) -> float:
    """Return the microseconds of CPU, user and system, that each poll takes this process.

    *polls* counts them; the first *warm* are left out.
    """
    while polls() < warm:  # noqa: ASYNC110 - whoever is measured must not be made to set an event
        await asyncio.sleep(0.01)
    started, before = time.process_time(), polls()
    await asyncio.sleep(seconds)
    used, done = time.process_time() - started, polls() - before
    return used / done * 1e6


def tell(**figures: float) -> None:
    """Print figures for the process that asked for them."""
    print(json.dumps(figures))
