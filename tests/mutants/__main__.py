"""Try a sample of mutants; print those that no test notices, and the kill rate."""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutants.trials import ROOT, all_mutants, sampled, trials


def main() -> int:
    """Try mutants until the sample or the time is used up; return 1 if any survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="number of mutants")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample")
    parser.add_argument(
        "--only", default="", help="a part of the path or of the function's name: engine, TimerWheel"
    )
    parser.add_argument("--processes", type=int, default=2, help="mutants tried at the same time")
    parser.add_argument("--minutes", type=float, default=None, help="start no mutant after this time")
    options = parser.parse_args()

    mutants = [
        mutant
        for mutant in all_mutants()
        if options.only in f"{mutant.path.relative_to(ROOT).as_posix()} {mutant.unit}"
    ]
    sample = sampled(mutants, options.count, options.seed)
    print(f"{len(sample)} of {len(mutants)} mutants", flush=True)
    stop_at = None if options.minutes is None else time.monotonic() + 60.0 * options.minutes
    killed = tried = 0
    for trial in trials(sample, processes=options.processes, stop_at=stop_at):
        tried += 1
        killed += trial.killed
        rate = f"{killed} of {tried} killed ({100.0 * killed / tried:.1f} %)"
        if trial.killed:
            print(f"{rate}: {trial.mutant.name}", flush=True)
        else:
            print(f"{rate}: SURVIVED {trial.mutant.name}\n{trial.mutant.diff(ROOT)}", flush=True)
    if tried < len(sample):
        print(f"time is up: {len(sample) - tried} not tried")
    return 0 if killed == tried else 1


if __name__ == "__main__":
    sys.exit(main())
