"""A connection whose responses are shifted by one: each belongs to the last request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.model.operations.base import Operation
from bkjob_async.wire import aiohttp_transport
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from bkjob_async.wire.session import Session
from tests.wire.raw_server import answer, serving
from tests.wire.test_session import polled

JOB = bkjob.JobRef(bkjob.Scope.biz(2), 100)
OTHER = bkjob.JobRef(bkjob.Scope.biz(2), 999)
READ = bkjob.operations.GetJobInstanceStatus(ref=JOB)
STOP = bkjob.operations.OperateJobInstance(ref=JOB, operation_code=1)
CREDENTIALS = bkjob.AppCredentials(bk_app_code="app", bk_app_secret="not-to-be-seen")


def body_about(number: int) -> bytes:
    """Return a response about a job."""
    job = {"job_instance_id": number, "status": 3}
    data = {"finished": True, "job_instance": job, "job_instance_id": number}
    return msgspec.json.encode({"result": True, "code": 0, "data": data})


@pytest.fixture(params=["fast", "ordinary"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use either path."""
    if request.param == "ordinary":
        monkeypatch.setattr(aiohttp_transport, "FastHttpClient", lambda *_: None)


async def look(session: Session, _operation: Operation[Any]) -> object:
    """Ask as a watch does."""
    return await polled(session, READ)


async def call(session: Session, operation: Operation[Any]) -> object:
    """Ask as a person does."""
    return await session.call(operation)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("pad", [0, 2_000_000])
@pytest.mark.parametrize(
    ("ask", "operation", "error"),
    [
        (look, READ, bkjob.InvalidResponse),
        (call, READ, bkjob.InvalidResponse),
        (call, STOP, bkjob.OutcomeUnknown),
    ],
)
async def test_a_connection_that_answered_somebody_else_is_closed(
    ask: Callable[[Session, Operation[Any]], Any],
    operation: Operation[Any],
    error: type[bkjob.CallFailed],
    pad: int,
) -> None:
    """The first connection is one behind for ever; it is used once, and what it said is not believed."""

    def reply(connection: int, _request: int, _head: bytes) -> bytes:
        number = OTHER.job_instance_id if connection == 0 else JOB.job_instance_id
        return answer(body_about(number) + b" " * pad)

    async with serving(reply) as (server, url):
        session = Session(
            url.origin(),
            transport=AiohttpTransport(),
            dialect=dialect_by_name("gateway-v3"),
            credentials=CREDENTIALS,
            retries=Retries(attempts=1),
        )
        try:
            with pytest.raises(error, match="about another job: asked for 2:100, got 2:999") as caught:
                await ask(session, operation)
            again = await ask(session, operation)
            await ask(session, operation)
        finally:
            await session.aclose()

    assert type(caught.value) is error
    assert again is not None
    # What may change something has a connection of its own each time.
    assert (server.connections, len(server.heads)) == (2 if operation.repeatable else 3, 3)


def headers_of(head: bytes) -> Mapping[str, str]:
    """Return the headers of a request, names in lower case."""
    lines = head.decode().split("\r\n")[1:-2]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.usefixtures("path")
async def test_reads_ask_for_no_kept_answer() -> None:
    """Requests forbid a proxy on the way to cache responses; those to commands are never cached anyway."""
    async with serving(lambda *_: answer(body_about(100))) as (server, url):
        session = Session(
            url.origin(),
            transport=AiohttpTransport(),
            dialect=dialect_by_name("gateway-v3"),
            credentials=CREDENTIALS,
        )
        try:
            for _ in range(3):
                await polled(session, READ)
            await session.call(READ)
            await session.call(STOP)
        finally:
            await session.aclose()

    reported = [headers_of(head).get("cache-control") for head in server.heads]
    assert reported == ["no-cache"] * 4 + [None]
