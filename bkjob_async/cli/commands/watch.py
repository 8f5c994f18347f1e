"""`bkjob watch` and `bkjob wait`: follow jobs and steps until they are over."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.configuration.options import connection_options, positive
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.watching.options import journal_option, watch_options

TARGETS = """\b
A target is one of
  100, 100/200               a job or a step, within --biz or --biz-set
  2:100, biz_set:9:100/200   a whole name
  https://…/api_execute/100  a link of the web console
  @FILE, -                   the targets in a file or on stdin, one a line
"""
EXIT_CODES = """\b
Exit codes:
  0  all succeeded
  1  something failed
  2  usage
  3  could not watch: targets lost, credentials refused, nothing ever seen
  4  the deadline passed; what becomes of the jobs is unknown
  5  a job waits for a person (--fail-on-waiting)

Variables and profiles stand for options, and have the credentials: bkjob config --help
"""


@click.command(name="watch", epilog=f"{TARGETS}\n{EXIT_CODES}")
@journal_option
@click.option("--name", metavar="NAME", help="Continue the fleet of this name in the journal.")
@targets_argument(required=False)
@watch_options
@connection_options
def watch_command(**options: Any) -> ExitCode:
    """Watch jobs and steps until they are over.

    One line per event goes to stdout. With --journal and --name the targets of an earlier process are watched on, and
    those given join them.
    """
    return run_action("bkjob_async.cli.actions.watch:watch", **options)


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
def wait_command(**options: Any) -> ExitCode:
    """Wait for jobs and steps, and write one line at the end.

    With another condition than finished the exit code is 0 when it became true, 1 when it cannot any more.
    """
    return run_action("bkjob_async.cli.actions.watch:wait", **options)
