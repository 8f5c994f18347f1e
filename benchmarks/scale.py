"""How much a benchmark measures: the usual amount, or as little as shows that it runs."""

import os
from typing import TypeVar

SMALL = "BKJOB_BENCHMARKS_SMALL"
FULL = "BKJOB_BENCHMARKS_FULL"
ROUNDS = "BKJOB_BENCHMARKS_ROUNDS"
ROWS = "BKJOB_BENCHMARKS_ROWS"
T = TypeVar("T")


def scaled(usual: T, small: T, *, full: T | None = None) -> T:
    """Return *usual*, *small* under `--small`, or *full* (if any) under `--full`.

    The choice is in the environment, so that the processes that a benchmark starts see it, too.
    """
    if os.environ.get(SMALL):
        return small
    return full if full is not None and os.environ.get(FULL) else usual


def is_full() -> bool:
    """Return True under `--full`."""
    return bool(os.environ.get(FULL))


def rounds(usual: int, small: int = 1) -> int:
    """Return how often a benchmark repeats what it measures: as `--rounds` says, else as `scaled` does."""
    return int(os.environ.get(ROUNDS) or scaled(usual, small))


def wants_row(name: str) -> bool:
    """Return True if a row is to be measured: all are, unless `--rows` lists parts of the names of some."""
    wanted = os.environ.get(ROWS, "")
    return not wanted or any(part.strip() in name for part in wanted.split(","))
