"""Lines on stdout and stderr, in an encoding that their reader knows."""

import errno
import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from shutil import which
from typing import TextIO

from bkjob_async.model.text.escapes import json_escaped
from bkjob_async.model.text.printing import printable

# What a terminal that does not know these characters is shown instead.
PLAIN = str.maketrans({"→": "->", "∅": "-", "…": "...", "■": "#", "─": "-", "–": "-"})


# Behind the numbers of their descriptors.
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


# What a write to stdout fails with: the disk or its quota is full, the file is too large, the terminal is gone.
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def write_out(line: str) -> None:
    """Write a line to stdout and flush it; an `OSError` ends the command."""
    print(encodable(line, sys.stdout), flush=True)


def write_note(line: str) -> None:
    """Write a line to stderr, where it is not part of the output."""
    print(encodable(printable(line), sys.stderr), file=sys.stderr, flush=True)


def json_text(value: object) -> str:
    """Return *value* as JSON in one line.

    Control characters are written as JSON's own escapes, so that the value is the same and safe on a terminal.
    """
    return json_escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def encodable(line: str, stream: TextIO) -> str:
    """Return *line* without the library's own signs where *stream* cannot encode them."""
    encoding = stream.encoding or "utf-8"
    if encoding.lower() in ("utf-8", "utf8"):
        return line
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return line.translate(PLAIN)
    return line


def program_name() -> str:
    """Return the name by which this command was called."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m bkjob_async"
    return called.name if which(called.name) == str(called) else str(called)


def set_output_encoding() -> None:
    """Set stdout and stderr to UTF-8 where a file or a program reads them, whatever the locale.

    A terminal has the encoding of its locale.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Half of a surrogate pair, and what a terminal cannot show, is written as its escape.
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def open_closed_streams() -> None:
    """Put the null device where stdin, stdout or stderr is closed, so that no socket takes its number."""
    # The lowest number that is free is given first.
    while (opened := os.open(os.devnull, os.O_RDWR)) < len(STREAMS):
        pass
    os.close(opened)
    for number, (name, mode) in enumerate(STREAMS):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - until the process ends


def discard_output() -> None:
    """Redirect stdout and stderr to the null device where they cannot be written, so that no last flush raises."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
