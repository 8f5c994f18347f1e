"""Run benchmarks by name: `python -m benchmarks [name ...] [--rows ROWS] [--rounds N] [--save FILE] [--small | --full]`."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from benchmarks.scale import FULL, ROUNDS, ROWS, SMALL
from benchmarks.table import compare_with, save

NAMES = sorted(
    file.stem
    for file in Path(__file__).parent.glob("[!_]*.py")
    if "\ndef main() -> None:" in file.read_text(encoding="utf-8")
)


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all of them; return 2 for an unknown name."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure; print tables of ratios."
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the results as JSON")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="print a saved run's ratios in columns of their own"
    )
    parser.add_argument(
        "--rows", metavar="ROWS", help="measure rows whose name has one of these parts: 100,growth"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="measure so many times")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--small", action="store_true", help="measure little: shows only that a benchmark runs"
    )
    amount.add_argument("--full", action="store_true", help="make the long outages a minute long")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    if options.small or options.full:
        os.environ[SMALL if options.small else FULL] = "1"
    os.environ.update({ROWS: options.rows} if options.rows else {})
    os.environ.update({ROUNDS: str(options.rounds)} if options.rounds else {})
    if options.compare:
        compare_with(options.compare)
    # Imported only now: modules read how much they measure when they are imported.
    for name in options.names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    if options.save:
        save(options.save)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
