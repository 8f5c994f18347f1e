"""`bkjob wait`: wait in silence."""

from __future__ import annotations

import click

from bkjob_async.cli.configuration.options import connection_options, positive
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode


@click.command(name="wait")
@click.option(
    "--until",
    default="finished",
    show_default=True,
    metavar="CONDITION",
    help="finished; first-failure: a host of any target failed; hosts-done=0.9: of each target 90 % of the hosts ended.",
)
@click.option("--deadline", type=positive, metavar="S", help="Give up after S seconds.")
@click.option("--interval", type=positive, metavar="S", help="Poll every S seconds.")
@targets_argument()
@connection_options
def wait_command(
    *,
    settings: Settings,
    until: str,
    deadline: float | None,
    interval: float | None,
    targets: tuple[str, ...],
) -> ExitCode:
    """Wait for jobs and steps, and write one line at the end.

    With another condition than finished the exit code is 0 when it became true, 1 when it cannot any more.
    """
    return run_action(
        "bkjob_async.cli.actions.wait:wait",
        settings,
        targets,
        until=until,
        deadline=deadline,
        interval=interval,
    )
