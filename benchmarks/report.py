"""What a report costs: CPU and bytes of the page for a run of many hosts.

*Process* is the CPU of the whole command `bkjob report`, interpreter and imports included; *work* is what it takes beyond the
same command for a run of ten hosts. The run is made up: jobs of one step, 7 % of the hosts fail, and each host is reported
three times.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.compare.runs import run_of, write_journal, write_lines
from benchmarks.scale import rounds, scaled
from benchmarks.table import show

# Hosts, and how many of them each job has; what the page may cost: CPU seconds, kilobytes.
SIZES: dict[tuple[int, int], tuple[float, int]] = scaled(
    {
        (10_000, 100): (0.5, 150),
        (10_000, 20): (0.5, 150),
        (100_000, 1000): (5.0, 300),
        (100_000, 100): (5.0, 300),
    },
    {(200, 20): (0.5, 150)},
)


def command_cpu(arguments: list[str]) -> float:
    """Return the CPU seconds of a whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bkjob_async", *arguments], check=True)  # noqa: S603 - our own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measured(source: list[str], folder: Path) -> tuple[float, int]:
    """Return the CPU seconds of a report, the least of a few, and the bytes of its page."""
    page = folder / "page.html"
    cpu = min(command_cpu(["report", *source, "--force", "-o", str(page)]) for _ in range(rounds(3)))
    return cpu, page.stat().st_size


def main() -> None:
    """Print a row for each size and source."""
    rows, start = [], dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        for number, (hosts, per_job) in enumerate([(10, 10), *SIZES]):
            file, url = Path(folder) / f"{number}.jsonl", f"sqlite:///{folder}/{number}.db"
            run = run_of(hosts, per_job)
            write_lines(run, file)
            asyncio.run(write_journal(run, url, "bench"))
            for name, source in (("lines", [str(file)]), ("journal", [url, "--name", "bench"])):
                cpu, size = measured(source, Path(folder))
                if not number:
                    start[name] = cpu
                    continue
                seconds, kilobytes = SIZES[hosts, per_job]
                rows.append(
                    (
                        f"{hosts:,} hosts, {per_job} a job, {name}",
                        f"{cpu - start[name]:.2f} s",
                        f"{cpu:.2f} s",
                        f"{seconds} s",
                        f"{size / 1000:.0f} kB",
                        f"{kilobytes} kB",
                    )
                )
    show(
        "report: CPU and bytes of the page",
        ("run", "work", "process", "limit", "page", "limit of bytes"),
        rows,
    )
