"""`bkjob check`: the way to the platform."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode


@click.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per step.")
@connection_options
def check_command(**options: Any) -> ExitCode:
    """Check the way to the platform, step by step, and say who must act.

    Settings, DNS, TLS, the server's clock, credentials, scope, limits. It reads only. The exit code is 3 when a step
    failed.
    """
    return run_action("bkjob_async.cli.actions.check:check", **options)
