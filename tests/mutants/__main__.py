"""Sample mutants, and show those that no test notices."""

from __future__ import annotations

import argparse
import sys

from tests.mutants.trials import ROOT, all_mutants, sampled, trials


def main() -> int:
    """Try a sample; print every survivor as a diff, and how many were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many mutants are tried")
    parser.add_argument("--seed", type=int, default=1, help="which of them")
    parser.add_argument("--only", default="", help="a part of the file's path")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    chosen = parser.parse_args()

    mutants = [mutant for mutant in all_mutants() if chosen.only in str(mutant.path.relative_to(ROOT))]
    killed = tried = 0
    for trial in trials(sampled(mutants, chosen.count, chosen.seed), processes=chosen.processes):
        tried += 1
        killed += trial.killed
        if not trial.killed:
            print(f"survived: {trial.mutant.name}\n{trial.mutant.diff(ROOT)}", flush=True)
    print(f"{killed} of {tried} killed ({100.0 * killed / max(tried, 1):.1f} %)")
    return 0 if killed == tried else 1


if __name__ == "__main__":
    sys.exit(main())
