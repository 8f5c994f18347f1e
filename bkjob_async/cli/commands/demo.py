"""`bkjob demo`: watch a simulated platform."""

from __future__ import annotations

from typing import Any

import click

from bkjob_async.cli.dispatch import run_action
from bkjob_async.cli.exit_codes import ExitCode


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
