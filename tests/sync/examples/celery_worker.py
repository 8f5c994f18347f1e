"""A Celery application: one client in each process of its pool, connected after the fork."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import worker_process_shutdown

import bkjob_async as bkjob
from bkjob_async import sync

app = Celery("deployments", broker=os.environ["BROKER_URL"], backend=os.environ["RESULT_BACKEND"])


@cache
def jobs() -> sync.JobClient:
    """Return the client of this process; the first task of each process creates it."""
    credentials = bkjob.AppCredentials(
        bk_app_code=os.environ["BKJOB_APP_CODE"],
        bk_app_secret=os.environ["BKJOB_APP_SECRET"],
        bk_username="admin",
    )
    return sync.connect(os.environ["BKJOB_URL"], credentials, scope=bkjob.Scope.biz(2))


@worker_process_shutdown.connect
def close_jobs(**_: object) -> None:
    """Close the client of a process of the pool that ends."""
    if jobs.cache_info().currsize:
        jobs().close()


@app.task(soft_time_limit=3700)
def deploy(hosts: list[str], version: str) -> dict[str, Any]:
    """Deploy, retry once what failed, and return what still failed."""
    result = jobs().run_script("./deploy.sh", hosts, parameters=version, deadline=3600)
    if not result.ok:
        result = jobs().retry_failed(result, deadline=3600)
    return {"ok": result.ok, "failed": [host.host.label for _, host in result.failed]}
