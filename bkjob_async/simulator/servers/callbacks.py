"""Send the platform's callbacks; the only HTTP client in this room.

Sources: bk-job's CallbackListener and HttpConPoolUtil: 200 alone is success, any other status is retried once
as a form, a failed connection is not retried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import msgspec
from yarl import URL

from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.control_access import is_loopback
from bkjob_async.simulator.world.codes import FINAL_RUN
from bkjob_async.simulator.world.world import PendingCallback

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
POST_TIMEOUT = 15.0
MIN_SLEEP, MAX_SLEEP = 0.01, 0.25

LOG = logging.getLogger(__name__)

Post = Callable[[str, bytes, str], Awaitable[int]]


class CallbackSender:
    """Advances the world without requests, and sends the callbacks that were requested.

    *post* sends one callback (URL, body, content type) and returns the status of the response; by default a
    real HTTP client does, to loopback addresses only unless *remote*. `sent` counts callbacks that were sent,
    `blocked` those to other machines.
    """

    def __init__(
        self, platform: Platform, clock: WorldClock, *, post: Post | None = None, remote: bool = False
    ) -> None:
        """Prepare to send callbacks of *platform* in the time of *clock*."""
        self._platform = platform
        self._clock = clock
        self._custom_post = post
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()
        self._early: set[int] = set()
        self._remote = remote
        self.sent = 0
        self.blocked = 0

    def start(self) -> None:
        """Start sending callbacks."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop, and cancel callbacks in flight; harmless when repeated."""
        task, self._task = self._task, None
        for running in [*self._posts, *([task] if task else [])]:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _run(self) -> None:
        while True:
            world = self._platform.world
            world.advance(self._clock.now())
            self._send_early()
            due, world.callbacks = world.callbacks, []
            for callback in due:
                self._send(callback)
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Return the seconds until the next event may be due."""
        at = self._platform.world.next_at
        if at is None or self._clock.is_paused:
            return MAX_SLEEP
        return min(MAX_SLEEP, max(MIN_SLEEP, (at - self._clock.now()) / self._clock.speed))

    def _send(self, callback: PendingCallback) -> None:
        callback_faults = {
            active.fault.callback for active in self._platform.faults if active.should_apply_to_callback()
        }
        if "lost" in callback_faults:
            return
        for _ in range(2 if "doubled" in callback_faults else 1):
            self._begin(callback, FORM if "form" in callback_faults else JSON)

    def _send_early(self) -> None:
        """Send callbacks of jobs that still run, where that fault is injected."""
        faults = [active for active in self._platform.faults if active.fault.callback == "early"]
        for job in list(self._platform.world.jobs.values()) if faults else ():
            if (
                job.plan.callback_url
                and job.id not in self._early
                and job.status not in FINAL_RUN
                and faults[0].should_apply_to_callback()
            ):
                self._early.add(job.id)
                self._begin(PendingCallback.of(job, self._platform.world.now), JSON)

    def _begin(self, callback: PendingCallback, kind: str) -> None:
        if self._custom_post is None and not self._remote and not is_local_url(callback.url):
            self.blocked += 1
            LOG.warning(
                "the callback of job %d was not sent: its URL is not on this machine; remote_callbacks=True sends it",
                callback.job_instance_id,
            )
            return
        task = asyncio.get_running_loop().create_task(self._call(callback, kind))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def _call(self, callback: PendingCallback, kind: str) -> None:
        body = callback_body(callback)
        post = self._custom_post or self._post
        with suppress(OSError, TimeoutError, aiohttp.ClientError, ValueError):
            self.sent += 1
            if await post(callback.url, body, kind) != 200 and kind == JSON:
                self.sent += 1
                await post(callback.url, body, FORM)

    async def _post(self, url: str, body: bytes, kind: str) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT))
        headers = {"Content-Type": kind}
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return response.status


def is_local_url(url: str) -> bool:
    """Return True for a URL of this machine."""
    try:
        host = URL(url).host
    except ValueError:
        return False
    return host is not None and is_loopback(host.lower())


def callback_body(callback: PendingCallback) -> bytes:
    """Return a callback's JSON, with the names of bk-job's code, which differ from its documents."""
    return msgspec.json.encode(
        {
            "job_instance_id": callback.job_instance_id,
            "status": callback.status,
            "step_instances": [
                {"step_instance_id": number, "status": status} for number, status in callback.steps
            ],
        }
    )
