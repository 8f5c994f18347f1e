"""Run benchmarks by name: `python -m benchmarks [name ...] [--save FILE] [--compare FILE] [--full]`."""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.table import compare_with, save

NAMES = sorted(
    file.stem
    for file in Path(__file__).parent.glob("[!_]*.py")
    if "\ndef main() -> None:" in file.read_text(encoding="utf-8")
)


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, all without a name; 2 for a name that is none."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure; print tables of ratios."
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the results as JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show a saved run's ratios beside")
    parser.add_argument("--full", action="store_true", help="let outages take as long as they are meant to")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    if given.compare:
        compare_with(given.compare)
    for name in given.names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    if given.save:
        save(given.save)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
