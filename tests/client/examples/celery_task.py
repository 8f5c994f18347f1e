"""A celery task, or any other synchronous code: one event loop and one client per call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import bkjob_async as bkjob


def deploy(connect: Callable[[], bkjob.JobClient], hosts: list[str], version: str) -> dict[str, Any]:
    """Deploy and return what failed: `app.task(deploy)`."""
    return asyncio.run(deployed(connect, hosts, version))


async def deployed(connect: Callable[[], bkjob.JobClient], hosts: list[str], version: str) -> dict[str, Any]:
    """Run the script, retry what failed once, and return what still failed."""
    async with connect() as client:
        result = await client.run_script("./deploy.sh", hosts, parameters=version, deadline=3600)
        if not result.ok:
            result = await client.retry_failed(result, deadline=3600)
        return {"ok": result.ok, "failed": [host.host.label for _, host in result.failed]}
