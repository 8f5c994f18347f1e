"""Check the way to the platform, in code without an event loop."""

from __future__ import annotations

from bkjob_async.client import checks
from bkjob_async.sync.run_alone import run_alone

check = run_alone(checks.check)
