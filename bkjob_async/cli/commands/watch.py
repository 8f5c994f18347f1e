"""`bkjob watch`: write every event of some jobs and steps as a line."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from bkjob_async import JobClient, Ref, Scope, UsageError, connect
from bkjob_async.cli.configuration.environment import VARIABLE, credentials_from, journal_url
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.running import run_to_end
from bkjob_async.cli.watching.consumers import LineWriter, WatchConsumer
from bkjob_async.cli.watching.follow import WatchOptions, follow
from bkjob_async.dialects.registry import DIALECTS
from bkjob_async.model.ref_input import ScopeMissing, as_ref

ENVIRONMENT = """\b
Credentials come from the environment, never from an argument:
  BKJOB_APP_CODE, BKJOB_APP_SECRET   the application (both are needed)
  BKJOB_USERNAME                     the user it acts for
  BKJOB_BK_TOKEN or BKJOB_BK_TICKET  a logged-in user's token, instead
  BKJOB_ACCESS_TOKEN                 stands for all of these
  BKJOB_URL                          the default of --url
  BKJOB_JOURNAL                      the default of --journal, where --name is given
"""
EXIT_CODES = """\b
Exit codes:
  0  all succeeded
  1  something failed
  2  usage
  3  could not watch: targets lost, credentials refused, nothing ever seen
  4  the deadline passed; what becomes of the jobs is unknown
"""


def refs_from(names: Sequence[str], scope: Scope | None) -> tuple[Ref, ...]:
    """Read `JOB`, `JOB/STEP` or links within *scope*, or whole names such as `2:100/200`; raise `UsageError`."""
    refs = []
    for name in names:
        try:
            refs.append(as_ref(name, scope))
        except ScopeMissing:
            raise UsageError(f"in which scope is {name}? give --biz or --biz-set") from None
        except UsageError:
            raise UsageError(f"{name!r} names neither a JOB nor a JOB/STEP") from None
    return tuple(refs)


@click.command(name="watch", epilog=f"{ENVIRONMENT}\n{EXIT_CODES}")
@click.option("--url", envvar="BKJOB_URL", required=True, help="The gateway's stage, or the ESB's root.")
@click.option(
    "--dialect",
    type=click.Choice(sorted(DIALECTS)),
    default="gateway-v3",
    show_default=True,
    help="The interface that it offers.",
)
@click.option(
    "--biz", type=click.IntRange(min=1), metavar="ID", help="The business that bare job ids are in."
)
@click.option("--biz-set", type=click.IntRange(min=1), metavar="ID", help="The business set, instead.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per event.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Give up after S seconds."
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Poll every S seconds; without it, intervals adapt to the jobs.",
)
@click.option(
    "--journal", metavar="URL", help=f"Keep what is told in this journal; default, with --name: {VARIABLE}."
)
@click.option("--name", metavar="NAME", help="Continue the fleet of this name in the journal.")
@click.argument("targets", nargs=-1, metavar="JOB|JOB/STEP...")
def watch_command(
    *,
    url: str,
    dialect: str,
    biz: int | None,
    biz_set: int | None,
    as_json: bool,
    deadline: float | None,
    interval: float | None,
    journal: str | None,
    name: str | None,
    targets: tuple[str, ...],
) -> ExitCode:
    """Watch jobs and steps until they are over, one line per event.

    JOB is a job instance id, JOB/STEP one step instance of it, both within --biz or --biz-set; whole names such as
    2:100 or biz_set:9:100/200 need neither. With --journal and --name the targets of an earlier process are watched on,
    and those given join them.
    """
    place = journal_url(journal) if journal is not None or name is not None else None
    if not targets and place is None:
        raise click.UsageError("Missing argument 'JOB|JOB/STEP...'.")
    if biz and biz_set:
        raise UsageError("give --biz or --biz-set, not both")
    scope = Scope.biz(biz) if biz else Scope.biz_set(biz_set) if biz_set else None
    options = WatchOptions(
        refs=refs_from(targets, scope),
        deadline=deadline,
        journal=place,
        name=name,
    )
    client = connect(url, credentials_from(os.environ), dialect=dialect, interval=interval)
    return run_to_end(watch(client, options, consumers(as_json=as_json)))


def consumers(*, as_json: bool) -> list[WatchConsumer]:
    """Return everything that reads the watch; this is the place where another consumer is attached."""
    return [LineWriter(as_json=as_json)]


async def watch(client: JobClient, options: WatchOptions, consumers: Sequence[WatchConsumer]) -> ExitCode:
    """Open *client*, and let *consumers* read a watch of it to its end."""
    async with client:
        return await follow(client, options, consumers)
