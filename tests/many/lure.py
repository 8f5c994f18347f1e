"""A module that no runner imports because the journal names it."""

from __future__ import annotations

import bkjob_async as bkjob


def credentials() -> bkjob.Credentials:
    """Fail: nobody has named this function."""
    raise AssertionError("a runner called what the journal names")
