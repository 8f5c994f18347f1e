"""`bkjob status` and `bkjob explain`: one look at some targets."""

from __future__ import annotations

import click

from bkjob_async.cli.configuration.options import connection_options, positive
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode

ACTIONS = "bkjob_async.cli.actions.status"
json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON object per target.")
deadline_option = click.option(
    "--deadline", type=positive, default=30.0, show_default=True, metavar="S", help="Give up after S seconds."
)


@click.command(name="status")
@connection_options
@json_option
@deadline_option
@targets_argument()
def status_command(
    *, settings: Settings, as_json: bool, deadline: float, targets: tuple[str, ...]
) -> ExitCode:
    """Show how jobs and steps stand.

    The exit code is 0 when all could be read, however they stand.
    """
    return run_action(f"{ACTIONS}:status", settings, targets, as_json=as_json, deadline=deadline)


@click.command(name="explain")
@connection_options
@json_option
@deadline_option
@targets_argument()
def explain_command(
    *, settings: Settings, as_json: bool, deadline: float, targets: tuple[str, ...]
) -> ExitCode:
    """Say what jobs and steps do, why they fail, what they wait for, and what comes next."""
    return run_action(f"{ACTIONS}:explain", settings, targets, as_json=as_json, deadline=deadline)
