"""`bkjob logs`: the logs of hosts."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options, positive
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode


@click.command(name="logs")
@click.option("--failed", is_flag=True, help="Only of hosts that failed.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST,...|@FILE",
    help="Only of these hosts: cloud:ip, a bare address or #id. May be repeated.",
)
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each host.")
@click.option("--follow", is_flag=True, help="Go on until the targets are over.")
@click.option(
    "--interval",
    type=positive,
    default=2.0,
    show_default=True,
    metavar="S",
    help="With --follow: read every S seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per line of a log.")
@targets_argument()
@connection_options
def logs_command(*, follow: bool, interval: float, **options: Any) -> ExitCode:
    """Write the logs of hosts, each line with its host.

    With several steps the step stands before the host. Control characters are written as escapes.
    """
    if follow:
        return run_action("bkjob_async.cli.logs.follow:follow_logs", interval=interval, **options)
    return run_action("bkjob_async.cli.logs.show:show_logs", **options)
