"""`bkjob status`, `explain`, `jobs` and `logs`: the present state of some targets, the jobs of a scope, what hosts logged."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options, positive
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode

ACTIONS = "bkjob_async.cli.actions.status"
json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON object per target.")
deadline_option = click.option(
    "--deadline", type=positive, default=30.0, show_default=True, metavar="S", help="Give up after S seconds."
)


@click.command(name="status")
@json_option
@deadline_option
@targets_argument()
@connection_options
def status_command(**options: Any) -> ExitCode:
    """Show how jobs and steps stand.

    The exit code is 0 when all could be read, however they stand.
    """
    return run_action(f"{ACTIONS}:status", **options)


@click.command(name="explain")
@json_option
@deadline_option
@targets_argument()
@connection_options
def explain_command(**options: Any) -> ExitCode:
    """Say what jobs and steps do, why they fail, what they wait for, and what comes next."""
    return run_action(f"{ACTIONS}:explain", **options)


@click.command(name="jobs")
@click.option("--running", is_flag=True, help="Only jobs that run.")
@click.option("--failed", is_flag=True, help="Only jobs that failed.")
@click.option(
    "--since",
    default="1d",
    show_default=True,
    metavar="TIME",
    help="Created so long ago at most (90s, 15m, 1h, 2d), or since 2026-01-31T12:00.",
)
@click.option("--name", metavar="TEXT", help="Only jobs whose name contains this.")
@click.option("--operator", metavar="USER", help="Only jobs that this user started.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="At most N, the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per job.")
@connection_options
def jobs_command(**options: Any) -> ExitCode:
    """List the jobs of --biz or --biz-set, the newest first.

    Each line begins with the job's name, as other commands take it: bkjob jobs --running | bkjob watch -
    """
    return run_action("bkjob_async.cli.actions.jobs:jobs", **options)


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
