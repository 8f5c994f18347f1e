"""`bkjob simulate` and `bkjob demo`: a simulated platform, until it is interrupted, and a watch of one."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode

# The names in the simulator, which takes longer to import; a test compares them.
SCENARIOS = (
    "all-succeed",
    "some-fail",
    "one-hangs",
    "slow-tail",
    "retry-succeeds",
    "rolling",
    "manual-confirm",
    "force-stop",
    "skip",
    "ten-thousand-hosts",
    "thousand-small-jobs",
    "mixed-fleet",
    "chaos",
)
FAULTS = (
    "latency",
    "gateway-rate-limit",
    "gateway-concurrency",
    "esb-rate-limit",
    "esb-timeout",
    "internal-error",
    "database-away",
    "iam-away",
    "cmdb-away",
    "gateway-timeout-json",
    "bad-gateway",
    "gateway-timeout",
    "login-page",
    "empty-401",
    "half-body",
    "half-json",
    "garbage",
    "slow-drip",
    "reset",
    "hang",
    "wrong-charset",
    "duplicate-rows",
    "missing-rows",
    "unknown-codes",
    "unknown-fields",
    "callback-lost",
    "callback-doubled",
    "callback-form",
    "callback-early",
)


@click.command(name="simulate", epilog=f"Faults: {', '.join(FAULTS)}.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Where to listen."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same run.")
@click.option(
    "--scenario", type=click.Choice(SCENARIOS), default="slow-tail", show_default=True, help="What happens."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How fast its clock runs.",
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
def simulate_command(**options: Any) -> ExitCode:
    """Run a simulated platform on the loopback interface until interrupted.

    The first line on stdout is its URL, for every dialect; it accepts any app code and secret. Ctrl-C and other signals are
    its usual end: the exit code is 0.
    """
    return run_action("bkjob_async.cli.actions.simulate:simulate", **options)


@click.command(name="demo")
@click.option(
    "--jobs", type=click.IntRange(1, 1000), default=24, show_default=True, help="How many jobs run."
)
@click.option(
    "--hosts", type=click.IntRange(1, 1000), default=24, show_default=True, help="On how many hosts each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same run.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 20),
    default=1.0,
    show_default=True,
    help="How fast the platform's clock runs.",
)
@click.option("--plain", "is_plain", is_flag=True, help="Write lines, no live board.")
def demo_command(**options: Any) -> ExitCode:
    """Watch a simulated platform for half a minute.

    On the way the platform limits requests, and does not answer for some seconds. The exit code is 0 when the watch saw
    what the simulator did, even if jobs failed.
    """
    return run_action("bkjob_async.cli.demo.run:demo", **options)
