"""The commands and their options; what they do lives in the files beside."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine

import click

from bkjob_async import Scope, UsageError, __version__
from bkjob_async.cli import views
from bkjob_async.cli.demo import Size, demo
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import note, speak_utf8, stop_speaking
from bkjob_async.cli.simulating import SimulateOptions, simulate
from bkjob_async.cli.watching import WatchOptions, refs_from, show_lines, watch
from bkjob_async.dialects.registry import DIALECTS
from bkjob_async.simulator.faults.faults import FAULTS
from bkjob_async.simulator.world.scenarios import SCENARIOS

ENVIRONMENT = """\b
Credentials come from the environment, never from an argument:
  BKJOB_APP_CODE, BKJOB_APP_SECRET   the application (both are needed)
  BKJOB_USERNAME                     the user it acts for
  BKJOB_BK_TOKEN or BKJOB_BK_TICKET  a logged-in user's token, instead
  BKJOB_ACCESS_TOKEN                 stands for all of these
  BKJOB_URL                          the default of --url
"""
EXIT_CODES = """\b
Exit codes:
  0  all succeeded
  1  something failed
  2  usage
  3  could not watch: targets lost, credentials refused, nothing ever seen
  4  the deadline passed; what becomes of the jobs is unknown
"""


@click.group(
    name="bkjob",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="See it work, without any platform: bkjob demo",
)
@click.version_option(__version__, prog_name="bkjob")
def bkjob() -> None:
    """Watch BlueKing Job (蓝鲸作业平台) instances: see every host move."""


@bkjob.command(name="demo")
@click.option(
    "--jobs", type=click.IntRange(1, 1000), default=24, show_default=True, help="How many jobs run."
)
@click.option(
    "--hosts", type=click.IntRange(1, 1000), default=24, show_default=True, help="On how many hosts each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed tells the same story.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 20),
    default=1.0,
    show_default=True,
    help="How fast the platform's time goes.",
)
@click.option("--plain", is_flag=True, help="Write lines, no live board.")
def demo_command(*, jobs: int, hosts: int, seed: int, speed: float, plain: bool) -> ExitCode:
    """See it work: a simulated platform and a watch of it, in half a minute.

    The exit code is 0 when the watch saw what the simulator did, whatever became of the jobs.
    """
    view = views.plain if plain or not sys.stdout.isatty() else views.live
    return run_to_end(demo(Size(jobs=jobs, hosts=hosts, seed=seed, speed=speed), view))


@bkjob.command(name="simulate", epilog=f"Faults: {', '.join(FAULTS)}.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Where to listen."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed tells the same story.")
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default="slow-tail",
    show_default=True,
    help="What happens.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How fast its time goes.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:SHARE[:TIMES]]",
    help="Let something go wrong, in a SHARE of 0..1 of the answers, TIMES times; may be repeated.",
)
@click.option(
    "--rate-limit", type=click.IntRange(min=1), metavar="N", help="Refuse more than N requests a second."
)
@click.option("--remote-callbacks", is_flag=True, help="Call back other machines, too.")
def simulate_command(
    *,
    port: int,
    seed: int,
    scenario: str,
    speed: float,
    faults: tuple[str, ...],
    rate_limit: int | None,
    remote_callbacks: bool,
) -> ExitCode:
    """Run a simulated platform on the loopback interface until interrupted.

    The first line on stdout is its URL, for every dialect; any app code and secret will do.
    """
    stage = SimulateOptions(
        scenario=scenario,
        port=port,
        seed=seed,
        speed=speed,
        faults=faults,
        rate_limit=rate_limit,
        remote_callbacks=remote_callbacks,
    )
    return run_to_end(simulate(stage))


@bkjob.command(name="watch", epilog=f"{ENVIRONMENT}\n{EXIT_CODES}")
@click.option("--url", envvar="BKJOB_URL", required=True, help="The gateway's stage, or the ESB's root.")
@click.option(
    "--dialect",
    type=click.Choice(sorted(DIALECTS)),
    default="gateway-v3",
    show_default=True,
    help="How it speaks.",
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
    help="Look every S seconds; without it, at the platform's own rhythm.",
)
@click.argument("targets", nargs=-1, required=True, metavar="JOB|JOB/STEP...")
def watch_command(
    *,
    url: str,
    dialect: str,
    biz: int | None,
    biz_set: int | None,
    as_json: bool,
    deadline: float | None,
    interval: float | None,
    targets: tuple[str, ...],
) -> ExitCode:
    """Watch jobs and steps until they are over, one line per event.

    JOB is a job instance id, JOB/STEP one step instance of it, both within --biz or --biz-set; whole names such as
    2:100 or biz_set:9:100/200 need neither.
    """
    if biz and biz_set:
        raise UsageError("give --biz or --biz-set, not both")
    scope = Scope.biz(biz) if biz else Scope.biz_set(biz_set) if biz_set else None
    wish = WatchOptions(
        url=url, dialect=dialect, refs=refs_from(targets, scope), deadline=deadline, interval=interval
    )
    return run_to_end(watch(wish, show_lines(as_json=as_json)))


def run_to_end(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work* in a loop of its own; a reader that went away and Ctrl-C are ends like others."""
    try:
        return asyncio.run(work)
    except BrokenPipeError:
        stop_speaking()
        return ExitCode.NOBODY_LISTENS
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def run() -> int:
    """Run the command that this process was started with; return its exit code."""
    speak_utf8()
    try:
        return int(bkjob.main(standalone_mode=False) or ExitCode.ALL_SUCCEEDED)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except UsageError as error:
        note(f"bkjob: {error}")
        return ExitCode.USAGE
    except click.Abort:
        return ExitCode.INTERRUPTED
