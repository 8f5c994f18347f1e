"""The console script: runs the commands, or reports what must be installed."""

import sys
from importlib import import_module

# Installed by the `cli` extra only: the library itself needs no terminal.
OPTIONAL = ("click", "jinja2", "platformdirs", "rich", "textual")
USAGE, INTERRUPTED = 2, 130


def main() -> int:
    """Run `bkjob` with the arguments of this process; return its exit code."""
    try:
        code: int = import_module("bkjob_async.cli.commands.group").run()
    except KeyboardInterrupt:  # before a command handles it, for example while modules are imported
        return INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in OPTIONAL:
            raise
        print(f"bkjob needs {missing}: pip install 'bkjob-async[cli]'", file=sys.stderr)
        return USAGE
    return code
