"""`bkjob retry` and `bkjob operate`: change what a step or job does."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options
from bkjob_async.cli.configuration.targets import OPERATIONS, targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.watching.options import journal_option, watch_options

ACTIONS = "bkjob_async.cli.actions.operate"
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
detach_option = click.option("--detach", is_flag=True, help="Send it and end; do not watch.")


@click.command(name="retry")
@yes_option
@detach_option
@click.option("--all-hosts", is_flag=True, help="Also the hosts that succeeded.")
@journal_option
@click.option(
    "--name", metavar="NAME", help="Record the watch under this name in the journal.  [default: the target]"
)
@targets_argument()
@watch_options
@connection_options
def retry_command(**options: Any) -> ExitCode:
    """Run the failed hosts of a job or step again, and watch it.

    Shows the steps and hosts, and asks. It is sent once: when no answer comes, the exit code is 6.
    """
    return run_action(f"{ACTIONS}:retry", **options)


@click.command(name="operate", epilog="\b\nOperations:\n" + "\n".join(f"  {name}" for name in OPERATIONS))
@yes_option
@click.argument("target", metavar="TARGET")
@click.argument("operation", type=click.Choice(tuple(OPERATIONS)), metavar="OPERATION")
@connection_options
def operate_command(**options: Any) -> ExitCode:
    """Confirm, skip, continue or end a step or a job.

    Shows the step, its hosts and the operation, and asks. It is sent once: when no answer comes, the exit code is 6.
    terminate and start are for jobs, the others for steps.
    """
    return run_action(f"{ACTIONS}:operate", **options)
