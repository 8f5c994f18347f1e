"""The same with `bkjob_async`."""

import bkjob_async as bkjob


async def failed_hosts(client: bkjob.JobClient, script: str, hosts: list[int]) -> list[str]:
    """*client* was opened with `scope=bkjob.Scope.biz(2)`."""
    result = await client.run_script(script, hosts, account="root", deadline=3600)
    return [host.host.ip or host.host.label for _, host in result.failed]
