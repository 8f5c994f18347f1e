"""A server that writes more than it was asked for: nothing of it answers another request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
import trustme

import bkjob_async as bkjob
from bkjob_async.wire.aiohttp_transport import HttpOptions
from tests.wire.raw_server import answer

CREDENTIALS = bkjob.AppCredentials(bk_app_code="app", bk_app_secret="not-to-be-seen")
STRANGER = 666
REFUSALS: dict[str, bytes] = {
    "another launch": b"",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    "throttled in 200": answer(b'{"result": false, "code": 1306429, "message": "slow down"}'),
    "401": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    "408": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "half a response": b"HTTP/1.1 200 OK\r\nContent-Le",
}
PATHS = {
    "fast": HttpOptions(),
    "ordinary": HttpOptions(fast=False),
    "environment": HttpOptions(trust_env=True),
    "lent": HttpOptions(),
}


def launched(number: int) -> bytes:
    """Return the response to a launch."""
    data = {"job_instance_id": number, "job_instance_name": "x", "step_instance_id": 10 * number}
    return answer(msgspec.json.encode({"result": True, "code": 0, "data": data}))


def status_of(number: int) -> bytes:
    """Return the response to a read of a job."""
    job = {"job_instance_id": number, "status": 3}
    data = {"finished": True, "job_instance": job, "job_instance_id": number, "step_instance_list": []}
    return answer(msgspec.json.encode({"result": True, "code": 0, "data": data}))


class Server:
    """Answers launches with their numbers; writes *surplus* before each request, or after each response by *delay*."""

    def __init__(self, surplus: bytes, *, delay: float, before: bool = False) -> None:
        self.launches = 0
        self._surplus = surplus
        self._delay = delay
        self._before = before
        self._tasks: set[asyncio.Task[None]] = set()
        self.wrote_surplus = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to what comes over one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._before:
                writer.write(self._surplus)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                await reader.readexactly(length)
                if head.startswith(b"POST"):
                    self.launches += 1
                    writer.write(launched(self.launches))
                else:
                    writer.write(status_of(1))
                await asyncio.sleep(self._delay)
                writer.write(self._surplus)
                self.wrote_surplus.set()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def aclose(self) -> None:
        """End all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def client_of(server: Server, path: str, *, tls: bool = False) -> AsyncIterator[bkjob.JobClient]:
    """Open a client of *server* on a *path* through the library."""
    contexts: dict[str, Any] = {"ssl": None}
    options = PATHS[path]
    client_context: ssl.SSLContext | bool = True
    if tls:
        authority = trustme.CA()
        contexts["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(contexts["ssl"])
        client_context = ssl.create_default_context()
        authority.configure_trust(client_context)
        options = HttpOptions(fast=options.fast, trust_env=options.trust_env, ssl=client_context)
    listening = await asyncio.start_server(server, "127.0.0.1", 0, **contexts)
    host, port = listening.sockets[0].getsockname()
    url = f"{'https' if tls else 'http'}://{host}:{port}/api/bk-job/prod"
    connector = aiohttp.TCPConnector(ssl=client_context)
    async with listening, aiohttp.ClientSession(connector=connector) as session:
        client = bkjob.connect(
            url,
            CREDENTIALS,
            scope=bkjob.Scope.biz(2),
            http=options,
            session=session if path == "lent" else None,
            retries=bkjob.Retries(attempts=1),
        )
        try:
            async with client:
                yield client
        finally:
            await server.aclose()


async def launch(client: bkjob.JobClient) -> int:
    """Launch a script; return the id of its job."""
    launched = await client.fast_execute_script("uptime", "0:10.0.0.1", account_alias="root")
    return launched.ref.job_instance_id


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("surplus", REFUSALS)
@pytest.mark.parametrize("delay", [0.0, 0.01, pytest.param(0.2, marks=pytest.mark.deep)])
async def test_a_launch_has_its_own_answer(surplus: str, path: str, delay: float, tls: bool) -> None:  # noqa: FBT001
    """Whatever the server wrote after the answer to another one: each was sent once, and its id is its own."""
    server = Server(REFUSALS[surplus] or launched(STRANGER), delay=delay)
    async with client_of(server, path, tls=tls) as client:
        jobs = []
        for _ in range(3):
            jobs.append(await launch(client))
            await asyncio.sleep(2 * delay)

    assert jobs == [1, 2, 3]
    assert server.launches == 3


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("surplus", REFUSALS)
async def test_a_server_that_writes_first_is_not_sent_a_launch(surplus: str, path: str) -> None:
    """It is known that nothing was executed, and said why."""
    server = Server(REFUSALS[surplus] or launched(STRANGER), delay=0.0, before=True)
    async with client_of(server, path) as client:
        with pytest.raises(bkjob.TransportFailed, match="before a request was sent") as failed:
            await launch(client)

    assert not failed.value.details.sent
    assert server.launches == 0


@pytest.mark.parametrize("path", ["fast", "ordinary", "environment"])
async def test_a_read_is_not_answered_by_what_came_before_it(path: str) -> None:
    """A connection on which anything came since its last response is not used again."""
    server = Server(status_of(999), delay=0.005)
    job = bkjob.JobRef(bkjob.Scope.biz(2), 1)
    async with client_of(server, path) as client:
        for _ in range(4):
            snapshot = await client.get_job_instance_status(job)
            assert snapshot.ref == job
            await server.wrote_surplus.wait()
            server.wrote_surplus.clear()
