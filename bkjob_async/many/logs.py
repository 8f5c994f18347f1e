"""The log of a process that runs shards and configures no logging: its warnings, on stderr."""

from __future__ import annotations

import logging
import sys

from bkjob_async.model.text.printing import printable

logger = logging.getLogger("bkjob_async")


class PrintableFormatter(logging.Formatter):
    """Log lines that are safe on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and those of a traceback where there is one."""
        return "\n".join(map(printable, super().format(record).split("\n")))


def log_to_stderr() -> None:
    """Write warnings to stderr, and when what they say is over; of single targets only the first warning of a kind."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(lambda record: record.levelno > logging.INFO or getattr(record, "ref", None) is None)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
