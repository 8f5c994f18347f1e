"""Build the guide: `python -m bkjob_async.docs OUT`."""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from bkjob_async.docs.site import TOOLS, build


def main() -> int:
    """Build the site; a warning is an error."""
    parser = argparse.ArgumentParser(
        prog="python -m bkjob_async.docs", description="Build the guide as a site."
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="the folder of the site; made if it is not there"
    )
    out = parser.parse_args().out
    if any(find_spec(tool) is None for tool in TOOLS):
        print("building the guide needs the extra docs: pip install 'bkjob-async[docs]'", file=sys.stderr)
        return 2
    code = build(out)
    if code == 0:
        print(out / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
