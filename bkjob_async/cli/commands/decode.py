"""`bkjob decode`: read a recorded response."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import DEFAULT_DIALECT, DIALECTS
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode


@click.command(name="decode")
@click.option(
    "--operation",
    metavar="NAME",
    help="The operation that was called, such as get_job_instance_status.  [default: by what the file holds]",
)
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default=DEFAULT_DIALECT,
    show_default=True,
    help="The interface that answered.",
)
@click.option(
    "--http-status",
    type=click.IntRange(100, 599),
    default=200,
    show_default=True,
    metavar="N",
    help="The HTTP status of the response.",
)
@click.option("--data-only", is_flag=True, help="The file holds the data without its envelope.")
@click.argument("file", metavar="FILE|-")
def decode_command(**options: Any) -> ExitCode:
    """Read a recorded response or callback as the library does, and write it as JSON.

    An error that the response reports goes to stderr, with who must act; the exit code is 1.
    """
    return run_action("bkjob_async.cli.actions.decode:decode_file", **options)
