"""CPU time from the start of `bkjob` to its end, beside that of importing click."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from statistics import median

from benchmarks.scale import rounds
from benchmarks.table import show

ROUNDS = rounds(15)
LIMIT = 3.0
CLICK = "import click"
# What is run, as arguments of the interpreter, and further variables of its environment.
RUNS: dict[str, tuple[list[str], dict[str, str]]] = {
    CLICK: (["-c", CLICK], {}),
    "bkjob --help": (["-m", "bkjob_async", "--help"], {}),
    "bkjob watch --help": (["-m", "bkjob_async", "watch", "--help"], {}),
    "bkjob w<TAB>": (
        ["-c", "import sys; sys.argv = ['bkjob']; from bkjob_async.cli.entry import main; main()"],
        {"_BKJOB_COMPLETE": "bash_complete", "COMP_WORDS": "bkjob w", "COMP_CWORD": "1"},
    ),
}


def cpu_seconds(arguments: list[str], environ: dict[str, str]) -> float:
    """Return the CPU time of one run of the interpreter, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *arguments], env={**os.environ, **environ}, capture_output=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure all runs in turn, so that a busy machine slows each of them."""
    for arguments, environ in RUNS.values():  # compiles what is not compiled yet
        cpu_seconds(arguments, environ)
    found: dict[str, list[float]] = {name: [] for name in RUNS}
    for _ in range(ROUNDS):
        for name, run in RUNS.items():
            found[name].append(cpu_seconds(*run))
    base = median(found[CLICK])
    show(
        f"startup: CPU of a whole process, median of {ROUNDS}; bkjob --help at most {LIMIT:g} times importing click",
        ("process", "CPU ms", "ratio"),
        [
            (name, f"{median(times) * 1000:.0f}", f"{median(times) / base:.2f}")
            for name, times in found.items()
        ],
    )
