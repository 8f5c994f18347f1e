"""Try a sample of mutants; print those that no test notices, and the kill rate."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.covering_tests import CoveringTests
from tests.mutants.mutations import Mutant
from tests.mutants.trials import ROOT, Group, all_mutants, groups_for, measured, sampled, trials


def main() -> None:
    """Try mutants until the sample or the time is used up."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="number of mutants")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample")
    parser.add_argument(
        "--only", default="", help="a part of the path or of the function's name: engine, TimerWheel"
    )
    parser.add_argument(
        "--tests", nargs="*", help="try these tests only, not those that run the mutant's line"
    )
    parser.add_argument("--processes", type=int, default=2, help="mutants tried at the same time")
    parser.add_argument("--minutes", type=float, default=None, help="start no mutant after this time")
    parser.add_argument(
        "--keep",
        type=Path,
        default=None,
        help="a folder that remembers what was measured and tried, to go on",
    )
    options = parser.parse_args()

    mutants = [
        mutant
        for mutant in all_mutants()
        if options.only in f"{mutant.path.relative_to(ROOT).as_posix()} {mutant.unit}"
    ]
    sample = sampled(mutants, options.count, options.seed)
    print(f"{len(sample)} of {len(mutants)} mutants", flush=True)
    with TemporaryDirectory() as nowhere:
        keep = Path(nowhere) if options.keep is None else options.keep
        keep.mkdir(parents=True, exist_ok=True)
        stop_at = None if options.minutes is None else time.monotonic() + 60.0 * options.minutes
        run(sample, keep, options.tests, processes=options.processes, stop_at=stop_at)


def run(
    sample: list[Mutant], keep: Path, tests: list[str] | None, *, processes: int, stop_at: float | None
) -> None:
    """Try the mutants that were not killed yet; print and keep what became of each."""
    path = keep / "killed"
    before = set(path.read_text().splitlines()) if path.exists() else set()
    covering = (
        measured(keep / "covering_tests.json", processes) if tests is None else CoveringTests([], [], {})
    )
    given = [Group(tuple(tests or ()))]
    groups = partial(groups_for, covering=covering)
    waiting = [mutant for mutant in sample if mutant.place(ROOT) not in before]
    killed = tried = len(sample) - len(waiting)
    with path.open("a") as file:
        for trial in trials(
            waiting, groups if tests is None else lambda _: given, processes=processes, stop_at=stop_at
        ):
            tried += 1
            killed += trial.killed
            rate = f"{killed} of {tried} killed ({100.0 * killed / tried:.1f} %)"
            if trial.killed:
                print(f"{rate}: {trial.mutant.name}", flush=True)
                print(trial.mutant.place(ROOT), file=file, flush=True)
            else:
                print(f"{rate}: SURVIVED {trial.mutant.name}\n{trial.mutant.diff(ROOT)}", flush=True)
    if tried < len(sample):
        print(f"time is up: {len(sample) - tried} not tried")


if __name__ == "__main__":
    main()
