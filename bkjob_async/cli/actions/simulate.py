"""Serve a simulated platform until interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from bkjob_async import JobRef, UsageError
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import program_name, write_note, write_out
from bkjob_async.simulator.faults.faults import ActiveFault, parse_fault
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.servers.control import CONTROL_PATH
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.scenarios import scenario_by_name
from bkjob_async.simulator.world.world import FIRST_JOB_ID

SHOWN = 5


async def simulate(
    *,
    scenario: str,
    port: int,
    seed: int,
    speed: float,
    faults: Sequence[str],
    rate_limit: int | None,
    remote_callbacks: bool,
) -> ExitCode:
    """Serve a scenario until a signal, which is its usual end and no failure; the first line on stdout is the URL."""
    played = scenario_by_name(scenario)
    limit = RateLimit(rate_limit) if rate_limit is not None else None
    simulator = Simulator(played, seed=seed, speed=speed, rate_limit=limit, begins=datetime.now(UTC))
    simulator.platform.faults += [fault_from(text) for text in faults]
    server = simulator.serve(port=port, remote_callbacks=remote_callbacks)
    try:
        await server.start()
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}") from error
    try:
        write_out(server.url)
        write_note(f"scenario {played.name}, seed {seed}: {played.summary}")
        for fault in faults:
            write_note(f"fault: {fault}")
        if rate_limit is not None:
            write_note(f"rate limit: {rate_limit} requests a second")
        introduce(server.url, simulator.refs)
        with suppress(asyncio.CancelledError):  # so Ctrl-C and other signals arrive
            await asyncio.Event().wait()
    finally:
        await server.aclose()
    return ExitCode.ALL_SUCCEEDED


def fault_from(text: str) -> ActiveFault:
    """Read `NAME`, `NAME:SHARE` or `NAME:SHARE:TIMES`; raise `UsageError`."""
    try:
        return parse_fault(text)
    except (KeyError, ValueError) as error:
        raise UsageError(f"--fault {text}: {error.args[0]}") from error


def introduce(url: str, jobs: Sequence[JobRef]) -> None:
    """Write to stderr which jobs there are, and how to watch them."""
    shown = ", ".join(str(ref) for ref in jobs[:SHOWN]) + (", …" if len(jobs) > SHOWN else "")
    first = jobs[0].job_instance_id if jobs else FIRST_JOB_ID
    write_note(f"jobs: {shown or f'they start one by one, from 2:{first} on'}")
    write_note(f"control of time, hosts and faults: {url}{CONTROL_PATH}")
    write_note("any app code and secret are accepted; in another terminal:")
    write_note(f"  export BKJOB_URL={url} BKJOB_APP_CODE=demo BKJOB_APP_SECRET=demo")
    write_note(f"  {program_name()} watch --biz 2 {first}")
    write_note("Ctrl-C stops it")
