"""A FastAPI application: one client per process, opened and closed with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request

import bkjob_async as bkjob


def connect() -> bkjob.JobClient:
    """Return a client, configured by the environment."""
    return bkjob.connect(
        os.environ["BKJOB_URL"],
        bkjob.AppCredentials(
            bk_app_code=os.environ["BKJOB_APP_CODE"],
            bk_app_secret=os.environ["BKJOB_APP_SECRET"],
            bk_username="admin",
        ),
        scope=bkjob.Scope.biz(2),
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    """Open the client when the application starts."""
    callbacks = bkjob.CallbackReceiver()
    app.mount("/bkjob/callback", callbacks)
    async with connect() as client:
        yield {"jobs": client, "callbacks": callbacks}


app = FastAPI(lifespan=lifespan)


@app.post("/restart/{host}")
async def restart(request: Request, host: str) -> dict[str, Any]:
    """Restart a service on a host."""
    client: bkjob.JobClient = request.state.jobs
    try:
        result = await client.run_script("systemctl restart nginx", host, deadline=60)
    except bkjob.DeadlineExceeded as late:
        return {"state": "still running", "jobs": [str(ref) for ref in late.snapshots]}
    return {
        "state": "done" if result.ok else "failed",
        "hosts": [host.host.label for _, host in result.failed],
    }
