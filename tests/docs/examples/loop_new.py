"""The same with `bkjob_async`: the platform is asked when a change is likely, within its rate limits."""

from collections.abc import Callable

import bkjob_async as bkjob


async def watch(client: bkjob.JobClient, jobs: list[int], report: Callable[[int, str], None]) -> None:
    """Every host that fails is reported, in each execution."""
    async with client.watch(jobs) as watch:
        async for change in watch.hosts(phase=bkjob.Phase.FAILED):
            report(change.ref.job_instance_id, change.host.ip or change.host.label)
