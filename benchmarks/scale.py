"""How much a benchmark measures: the usual amount, or as little as shows that it runs."""

import os
from typing import TypeVar

SMALL = "BKJOB_BENCHMARKS_SMALL"
FULL = "BKJOB_BENCHMARKS_FULL"
T = TypeVar("T")


def scaled(usual: T, small: T, *, full: T | None = None) -> T:
    """Return *usual*, *small* under `--small`, or *full* (if any) under `--full`.

    The choice is in the environment, so that the processes that a benchmark starts see it, too.
    """
    if os.environ.get(SMALL):
        return small
    return full if full is not None and os.environ.get(FULL) else usual
