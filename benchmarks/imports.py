"""What importing costs: CPU of a fresh interpreter, divided by that of importing the five dependencies.

*dependencies* imports aiohttp, anyio, attrs, cattrs and msgspec. *package* is `import bkjob_async`, which loads each name when it
is first used; *client* is what the first use of `connect` loads, *everything public* what all public names load. The time of
an interpreter that imports nothing is subtracted.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median

from benchmarks.scale import rounds
from benchmarks.table import show

PROGRAMS = {
    "nothing": "",
    "dependencies": "import aiohttp, anyio, attrs, cattrs, msgspec",
    "package": "import bkjob_async",
    "client": "from bkjob_async import connect",
    "everything public": "import bkjob_async\nfor name in bkjob_async.__all__: getattr(bkjob_async, name)",
}
ROUNDS = 15
# The most that `import bkjob_async` may cost.
LIMIT = 1.5


def cpu_seconds(program: str) -> float:
    """Return the CPU that a fresh interpreter takes for a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - the programs above
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the milliseconds of each program, and the ratio to the dependencies alone."""
    for program in PROGRAMS.values():
        cpu_seconds(program)  # writes the byte code
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds(ROUNDS)):
        for name, program in PROGRAMS.items():
            taken[name].append(cpu_seconds(program))
    middle = {name: median(seconds) for name, seconds in taken.items()}
    own = {name: middle[name] - middle["nothing"] for name in PROGRAMS if name != "nothing"}
    show(
        "imports: CPU of a fresh interpreter",
        ("import", "ms of CPU", "ratio", "limit"),
        [
            (
                name,
                f"{seconds * 1e3:.1f}",
                f"{seconds / own['dependencies']:.2f}",
                f"{LIMIT}" if name == "package" else "",
            )
            for name, seconds in own.items()
        ],
    )


if __name__ == "__main__":
    main()
