"""The same with `bkjob_async`, through the ESB as before: `connect(url, credentials, dialect="esb-jobv3")`."""

import bkjob_async as bkjob


async def run_plan(client: bkjob.JobClient, plan: int, version: str) -> bool | None:
    """Return None when the deadline has passed and the job goes on."""
    try:
        result = await client.run_plan(plan, {"version": version}, deadline=3600)
    except bkjob.DeadlineExceeded:
        return None
    return result.ok
