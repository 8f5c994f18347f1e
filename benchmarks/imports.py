"""What importing costs: CPU of a fresh interpreter, divided by that of importing aiohttp and msgspec.

*dependencies* imports all five: aiohttp, anyio, attrs, cattrs and msgspec. *package* is `import bkjob_async`, which
loads each name when it is first used; *client* is what the first use of `connect` loads, *everything public* what all
public names load. The time of an interpreter that imports nothing is subtracted. Byte code is kept in a folder of its
own: an environment that forbids to write it would have everything but the libraries compiled each time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from statistics import median

from benchmarks.scale import rounds
from benchmarks.table import show

PROGRAMS = {
    "nothing": "",
    "aiohttp, msgspec": "import aiohttp, msgspec",
    "dependencies": "import aiohttp, anyio, attrs, cattrs, msgspec",
    "package": "import bkjob_async",
    "client": "from bkjob_async import connect",
    "everything public": "import bkjob_async\nfor name in bkjob_async.__all__: getattr(bkjob_async, name)",
}
ROUNDS = 15
# The most that the first use of `connect` is to cost.
LIMIT = 1.5


def cpu_seconds(program: str, cache: str) -> float:
    """Return the CPU that a fresh interpreter takes for a program, with the byte code in the folder *cache*."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)  # noqa: S603 - the programs above
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the milliseconds of each program, and the ratio to aiohttp and msgspec alone."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as cache:
        for program in PROGRAMS.values():
            cpu_seconds(program, cache)  # writes the byte code
        for _ in range(rounds(ROUNDS)):
            for name, program in PROGRAMS.items():
                taken[name].append(cpu_seconds(program, cache))
    middle = {name: median(seconds) for name, seconds in taken.items()}
    own = {name: middle[name] - middle["nothing"] for name in PROGRAMS if name != "nothing"}
    show(
        "imports: CPU of a fresh interpreter",
        ("import", "ms of CPU", "ratio", "limit"),
        [
            (
                name,
                f"{seconds * 1e3:.1f}",
                f"{seconds / own['aiohttp, msgspec']:.2f}",
                f"{LIMIT}" if name == "client" else "",
            )
            for name, seconds in own.items()
        ],
    )


if __name__ == "__main__":
    main()
