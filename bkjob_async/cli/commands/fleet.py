"""`bkjob fleet`: a fleet in shards, which processes on many machines run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from bkjob_async.cli.configuration.options import (
    biz_option,
    positive,
    profile_option,
    tenant_option,
    url_option,
)
from bkjob_async.cli.configuration.targets import targets_argument
from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.dialects.names import DIALECTS

ACTIONS = "bkjob_async.cli.actions.fleet.manage"
# What takes a setting away.
NONE = "none"
LEVELS = ("end-only", "coalesced", "every-change")
HELP = """\
The journal is redis://HOST, rediss://HOST, redis+unix:///SOCKET or redis+sentinel://HOST,HOST/SERVICE, or sqlite:///PATH for
the processes of one machine. Without --journal, BKJOB_JOURNAL of the environment or the journal of the profile is used; a URL
with a password is taken from the environment only.
"""
EXIT_CODES = """\b
Exit codes:
  0  the fleet was stopped
  2  usage
  3  it could not run
  7  another process runs a shard: do not start this one again at once
"""

name_argument = click.argument("name")
credentials_option = click.option(
    "--credentials",
    metavar="MODULE:FUNCTION",
    help="The function that runners call for credentials, for create and run the same; by default it reads"
    " BKJOB_APP_CODE and so on.",
)
wide_option = click.option(
    "--wide",
    multiple=True,
    metavar="SCOPE=N",
    help="Spread a scope over N shards by job id: 2=4, biz_set:9=8; may be repeated.",
)
KEEP = "Keep records of the whole fleet no longer and no more than this: 7d,1G, 12h or 512M."
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON objects, one a line.")


def subcommand(name: str, *, epilog: str = HELP) -> Callable[[Callable[..., Any]], click.Command]:
    """Return what makes a function a command about one fleet, with options that say where it is."""
    journal = click.option(
        "--journal", metavar="URL", help="The journal that all processes of the fleet share."
    )

    def decorate(command: Callable[..., Any]) -> click.Command:
        return fleet_command.command(name=name, epilog=epilog)(
            name_argument(journal(profile_option(command)))
        )

    return decorate


@click.group(name="fleet", epilog=HELP)
def fleet_command() -> None:
    """Watch a fleet in shards, each of which a process on any machine runs."""


@subcommand("create")
@click.option("--shards", type=click.IntRange(1, 1024), required=True, metavar="N", help="In so many shards.")
@url_option
@click.option("--dialect", type=click.Choice(DIALECTS), help="The interface that it offers.")
@credentials_option
@click.option(
    "--rate", type=positive, metavar="N", help="All runners together send at most N requests a second."
)
@click.option("--interval", type=positive, metavar="S", help="Poll every S seconds.")
@click.option(
    "--detail-level", type=click.Choice(LEVELS), default="every-change", help="How closely to follow hosts."
)
@wide_option
@click.option("--keep", metavar="AGE,SIZE", help=f"{KEEP}  [default: 7d,1G]")
@tenant_option
def create_command(**options: Any) -> ExitCode:
    """Create a fleet, or start again one that was stopped."""
    return run_action(f"{ACTIONS}:create", **options)


def number_or_none(text: str) -> Any:
    """Return a positive number, or the text none."""
    return text if text == NONE else positive(text)


@subcommand("set")
@url_option
@click.option("--dialect", type=click.Choice(DIALECTS), help="The interface that it offers.")
@click.option(
    "--credentials", metavar="MODULE:FUNCTION", help="The function that runners call; they must name it, too."
)
@click.option(
    "--rate",
    type=number_or_none,
    metavar="N|none",
    help="All runners together send at most N requests a second.",
)
@click.option("--interval", type=number_or_none, metavar="S|none", help="Poll every S seconds.")
@click.option("--detail-level", type=click.Choice(LEVELS), help="How closely to follow hosts.")
@click.option("--keep", metavar="AGE,SIZE", help=KEEP)
@tenant_option
@click.option("--shards", type=int, metavar="N", help="Cannot be changed: see bkjob fleet copy.")
def set_command(**options: Any) -> ExitCode:
    """Change settings of a fleet while it lives; others stay.

    Runners follow within about two seconds, without losing or repeating events. Environment and profile only say where the
    journal is.
    """
    return run_action(f"{ACTIONS}:set_settings", **options)


@subcommand("copy")
@click.argument("copy", metavar="NEW")
@click.option("--shards", type=click.IntRange(1, 1024), required=True, metavar="N", help="In so many shards.")
@wide_option
def copy_command(**options: Any) -> ExitCode:
    """Create the fleet NEW with the targets of NAME, in other shards.

    What was reported of the targets is known there. NAME may be run meanwhile, and goes on; what is added to it from then on
    is not in NEW.
    """
    return run_action(f"{ACTIONS}:copy", **options)


@subcommand("add")
@biz_option
@targets_argument()
def add_command(**options: Any) -> ExitCode:
    """Add targets; they are watched about two seconds later."""
    return run_action(f"{ACTIONS}:put", is_added=True, **options)


@subcommand("drop")
@biz_option
@targets_argument()
def drop_command(**options: Any) -> ExitCode:
    """Drop targets for good."""
    return run_action(f"{ACTIONS}:put", is_added=False, **options)


@subcommand("run", epilog=f"{HELP}\n{EXIT_CODES}")
@click.option(
    "--shard", "shards", default="", metavar="N", help="The shard to run, or several: 3, 0-7, 0-3,8."
)
@click.option(
    "--claim",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Run N shards at a time of those whose runner has ended, or gave no sign of life within 25 s.",
)
@click.option(
    "--standby",
    is_flag=True,
    help="With --claim: look for such shards four times a second, not every 2 to 4 s.",
)
@credentials_option
@click.option(
    "--health",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Keep two files there for probes: alive, written every 2 s, and ready, there while all shards"
    " see and store what there is.",
)
@click.option(
    "--journal-timeout",
    type=click.FloatRange(min=3),
    metavar="S",
    help="With --shard, end with exit code 3 when the journal has not answered for S seconds, so that a supervisor can run"
    " the shards elsewhere.  [default: wait]",
)
def run_command(*, shards: str, claim: int | None, journal_timeout: float | None, **options: Any) -> ExitCode:
    """Run shards until the fleet is stopped or they run elsewhere.

    Warnings go to stderr. With --claim another shard is run in place of one that runs elsewhere.
    """
    if bool(shards) == (claim is not None):
        raise click.UsageError("give either --shard or --claim")
    if claim is not None and journal_timeout is not None:
        raise click.UsageError(
            "--journal-timeout is for --shard: with --claim others take the shards of a process that they do not hear"
        )
    if options["standby"] and claim is None:
        raise click.UsageError("--standby goes with --claim")
    numbers = shard_numbers(shards) if shards else ()
    return run_action(
        f"{ACTIONS}:run", shards=numbers, claim=claim, journal_timeout=journal_timeout, **options
    )


@subcommand("status")
@json_option
@click.option("--metrics", is_flag=True, help="Write gauges in the text format of Prometheus.")
def status_command(**options: Any) -> ExitCode:
    """List the shards, with their runners.

    The exit code is 3 where one fails, stores nothing, sees nothing, or has had no runner for 30
    seconds; with --metrics it is 0 where the fleet can be read.
    """
    return run_action(f"{ACTIONS}:status", **options)


@subcommand("check")
@json_option
def check_command(**options: Any) -> ExitCode:
    """Say what is wrong with a fleet, and who must act.

    The exit code is 3 where something is.
    """
    return run_action(f"{ACTIONS}:check", **options)


@subcommand("stop")
def stop_command(**options: Any) -> ExitCode:
    """End all runners, and wait for them; targets and journals stay."""
    return run_action(f"{ACTIONS}:stop", **options)


@subcommand("forget")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def forget_command(**options: Any) -> ExitCode:
    """Remove a stopped fleet and everything reported of it."""
    return run_action(f"{ACTIONS}:forget", **options)


@subcommand("follow")
@click.option("--after", metavar="CURSOR", help="Begin behind this cursor of the whole fleet, or now.")
@click.option("--once", is_flag=True, help="Stop at the end of what was reported so far.")
@json_option
def follow_command(**options: Any) -> ExitCode:
    """Write what the runners report, of all shards.

    The cursor behind it goes to stderr at the end.
    """
    return run_action(f"{ACTIONS}:follow", **options)


def shard_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that `3`, `0-7` or `0-3,8` name, each once; raise `click.BadParameter`."""
    found: dict[int, None] = {}
    for part in text.split(","):
        range_of = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if range_of is None:
            raise click.BadParameter("a shard is a number, or several: 3, 0-7, 0-3,8", param_hint="--shard")
        first, last = int(range_of[1]), int(range_of[2] or range_of[1])
        if first > last:
            raise click.BadParameter(f"{part}: the smaller number comes first", param_hint="--shard")
        found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)
