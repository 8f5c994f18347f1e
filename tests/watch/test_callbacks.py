"""Callbacks in all their forms change when a watch polls, never its state."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

import bkjob_async as bkjob
from bkjob_async import add_callback_receiver
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan, exactly
from tests.client.clients import client_of

TOKEN = "an-unguessable-token-0123"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PLAIN = b'{"job_instance_id":7,"status":3,"step_instances":[{"step_instance_id":8,"status":3}]}'
SHAPES = [
    (PLAIN, JSON),
    (PLAIN.replace(b"step_instances", b"step_instance_list"), "application/json; charset=utf-8"),
    (b'{"job_instance_id":"7","status":"3","new":[1]}', JSON),
    (PLAIN, FORM),
    (quote(PLAIN.decode()).encode(), FORM),
    (quote(PLAIN.decode()).encode() + b"=", FORM),
    (PLAIN, ""),
]
NOT_CALLBACKS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"status":3}',
    b'{"job_instance_id":0}',
    b"<html>",
    b"\xff\xfe",
]


async def post_callback(
    receiver: bkjob.CallbackReceiver,
    *chunks: bytes,
    path: str = f"/x/{TOKEN}",
    method: str = "POST",
    kind: str = JSON,
) -> int:
    """Send a request to the ASGI application; return the status of its answer."""
    messages = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks)}
        for n, chunk in enumerate(chunks, 1)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"Content-Type", kind.encode())]
    await receiver({"type": "http", "path": path, "method": method, "headers": headers}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(("body", "kind"), SHAPES)
async def test_every_shape_of_callback_is_accepted_and_delivered(body: bytes, kind: str) -> None:
    """The callable has it, and so has whoever iterates."""
    on_page: list[bkjob.Callback] = []
    receiver = bkjob.CallbackReceiver(TOKEN, on_page.append)

    assert await post_callback(receiver, body[:9], body[9:], kind=kind) == 200
    assert [(callback.job_instance_id, callback.status.code) for callback in on_page] == [(7, 3)]
    assert await anext(receiver) == on_page[0]


@pytest.mark.parametrize("body", NOT_CALLBACKS)
async def test_what_is_no_callback_is_refused(body: bytes) -> None:
    """400, and nobody hears of it."""
    on_page: list[bkjob.Callback] = []

    assert await post_callback(bkjob.CallbackReceiver(TOKEN, on_page.append), body) == 400
    assert on_page == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": "/x/another-token-of-that-length"}, 404),
        ({"path": f"/{TOKEN}/more"}, 404),
        ({"path": "/"}, 404),
        ({"path": "/ä"}, 404),
        ({"path": f"/x/{TOKEN}/"}, 200),
        ({"method": "GET"}, 405),
    ],
)
async def test_only_the_secret_path_is_accepted(request_: dict[str, str], status: int) -> None:
    """Everything else looks as if nothing were there."""
    assert await post_callback(bkjob.CallbackReceiver(TOKEN), PLAIN, **request_) == status


async def test_a_body_has_a_bound() -> None:
    """It is refused as soon as it is too long, not when it has ended."""
    receiver = bkjob.CallbackReceiver(TOKEN, largest_body=1000)

    assert await post_callback(receiver, *[b" " * 600] * 50) == 413


async def test_a_function_that_raises_does_not_make_the_platform_call_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """200 all the same; the failure is logged."""

    def fail(_callback: bkjob.Callback) -> None:
        raise RuntimeError("mine")

    assert await post_callback(bkjob.CallbackReceiver(TOKEN, fail), PLAIN) == 200
    assert "mine" in caplog.text


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        "with/a/slash/in/it",
        "ä" * 30,
        "a-token-with?a-question",
        "a-token-with%20a-blank",
        "a-token-on\ntwo-lines",
    ],
)
def test_a_token_that_can_be_guessed_is_refused(token: str) -> None:
    """Made by the receiver itself, it is long and new each time."""
    with pytest.raises(bkjob.UsageError):
        bkjob.CallbackReceiver(token)
    assert bkjob.CallbackReceiver().url("http://me/") != bkjob.CallbackReceiver().url("http://me")


async def test_the_servers_own_lifespan_is_answered() -> None:
    """It can stand alone, as the application of an ASGI server."""
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await bkjob.CallbackReceiver(TOKEN)({"type": "lifespan"}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_it_lives_in_an_aiohttp_application() -> None:
    """Over real HTTP: 200, 404, 400, 413."""
    receiver = bkjob.CallbackReceiver(TOKEN, largest_body=1000)
    app = web.Application()
    add_callback_receiver(app, receiver, "/bk")
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}"
    statuses = []
    async with aiohttp.ClientSession() as session:
        for url, body in [
            (receiver.url(here + "/bk"), PLAIN),
            (here + "/bk/wrong", PLAIN),
            (receiver.url(here + "/bk"), b"?"),
            (receiver.url(here + "/bk"), b" " * 5000),
        ]:
            async with session.post(url, data=body) as response:
                statuses.append(response.status)
    await runner.cleanup()

    assert statuses == [200, 404, 400, 413]
    assert (await anext(receiver)).job_instance_id == 7


async def test_what_says_that_it_is_too_long_is_not_read() -> None:
    """Its head is enough."""
    sent: list[Any] = []

    async def receive() -> Any:
        pytest.fail("it was read")

    async def send(message: Any) -> None:
        sent.append(message)

    for length in (b"65537", b"9" * 30):
        headers = [(b"content-length", length)]
        scope = {"type": "http", "path": f"/x/{TOKEN}", "method": "POST", "headers": headers}
        await bkjob.CallbackReceiver(TOKEN)(scope, receive, send)

    assert [message["status"] for message in sent if "status" in message] == [413, 413]


@pytest.mark.looptime
async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """Ten seconds for all of it, however it is spread."""
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": f"/x/{TOKEN}", "method": "POST", "headers": []}
    start = asyncio.get_running_loop().time()
    await bkjob.CallbackReceiver(TOKEN)(scope, receive, send)

    assert sent[0]["status"] == 408
    assert asyncio.get_running_loop().time() - start == pytest.approx(10.0)


SLOW = SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HostOutcome(duration=exactly(400.0)),)),))


@pytest.mark.looptime
async def test_a_callback_makes_a_watch_poll_once_and_believe_nothing() -> None:
    """A callback that lies changes when the watch polls; the status is what the platform says."""
    simulator = Simulator(at_once=True)
    job, other = simulator.add(SLOW), simulator.add(SLOW)
    receiver = bkjob.CallbackReceiver(TOKEN)
    async with (
        client_of(simulator, interval=100.0) as (client, transport),
        client.watch([job, other], callbacks=receiver) as watch,
    ):
        await asyncio.sleep(20)
        before = transport.request_counts.copy()
        lie = b'{"job_instance_id":%d,"status":4}' % job.job_instance_id
        await post_callback(receiver, lie)
        await asyncio.sleep(5)
        snapshot = watch.snapshot(job)
        looks = transport.request_counts - before
        await post_callback(receiver, b'{"job_instance_id":99,"status":4}')
        await asyncio.sleep(5)

        assert snapshot is not None
        assert snapshot.status.code == 2
        assert looks["get_job_instance_status"] <= 1
        assert 1 <= looks.total() <= 2  # the job, and the hosts of its step
        assert transport.request_counts - before == looks


@pytest.mark.looptime
async def test_a_callback_ends_a_wait_sooner() -> None:
    """The job ends at 400 s and something; without the callback the next poll would be at 569 s."""
    ends = []
    for lost in (False, True):
        simulator = Simulator(at_once=True)
        receiver = bkjob.CallbackReceiver(TOKEN)

        async def post(url: str, body: bytes, kind: str, receiver: bkjob.CallbackReceiver = receiver) -> int:
            return await post_callback(receiver, body, path=url.removeprefix("http://me"), kind=kind)

        job = simulator.add(SimulatedJob(steps=SLOW.steps, callback_url=receiver.url("http://me/cb")))
        sender = simulator.callbacks(post=post)
        start = asyncio.get_running_loop().time()
        async with client_of(simulator, interval=700.0) as (client, _):
            if not lost:
                sender.start()
            async with client.watch(job, callbacks=receiver) as watch:
                results = await watch.results()
        await sender.aclose()
        assert isinstance(results[job], bkjob.JobResult)
        ends.append(asyncio.get_running_loop().time() - start)

    assert ends[0] < 430
    assert ends[1] > 490


@pytest.mark.looptime
async def test_a_flood_of_callbacks_makes_one_poll_a_second() -> None:
    """Whoever knows the token cannot use up the site's quota with it."""
    simulator = Simulator(at_once=True)
    jobs = [simulator.add(SLOW) for _ in range(3)]
    receiver = bkjob.CallbackReceiver(TOKEN)
    async with (
        client_of(simulator, interval=100.0) as (client, transport),
        client.watch(jobs, callbacks=receiver) as watch,
    ):
        await asyncio.sleep(20)
        before = transport.request_counts.total()
        for _ in range(100):
            for job in jobs:
                await post_callback(receiver, b'{"job_instance_id":%d,"status":2}' % job.job_instance_id)
            await asyncio.sleep(0.1)
        await asyncio.sleep(5)
        looks = transport.request_counts.total() - before

        assert watch.snapshot(jobs[0]) is not None
        # Of each job its status and, at most, the hosts of its step: 11 times in 10 s.
        assert 3 * 10 <= looks <= 3 * 2 * 12


@pytest.mark.looptime
async def test_the_last_of_many_callbacks_is_not_lost() -> None:
    """A callback within the second causes a poll when it is over."""
    simulator = Simulator(at_once=True)
    job = simulator.add(SLOW)
    receiver = bkjob.CallbackReceiver(TOKEN)
    body = b'{"job_instance_id":%d,"status":3}' % job.job_instance_id
    async with (
        client_of(simulator, interval=100.0) as (client, transport),
        client.watch(job, callbacks=receiver),
    ):
        await asyncio.sleep(20)
        await post_callback(receiver, body)
        await asyncio.sleep(0.5)
        before = transport.request_counts.total()
        await post_callback(receiver, body)
        await asyncio.sleep(0.1)
        at_once = transport.request_counts.total() - before
        await asyncio.sleep(1)

        assert at_once == 0
        assert transport.request_counts.total() > before


async def test_iterating_again_and_again_keeps_nothing() -> None:
    """A loop with a time limit cancels its wait each time no callback comes, for weeks."""
    receiver = bkjob.CallbackReceiver(TOKEN)
    for _ in range(100):
        waiting = asyncio.ensure_future(anext(receiver))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    assert len(receiver._waiters) == 0


async def test_a_callback_for_a_cancelled_iterator_goes_to_the_next() -> None:
    """The first is cancelled in the moment in which the callback wakes it."""
    receiver = bkjob.CallbackReceiver(TOKEN)
    first, second = (asyncio.ensure_future(anext(receiver)) for _ in range(2))
    await asyncio.sleep(0)
    await post_callback(receiver, PLAIN)
    first.cancel()

    assert (await asyncio.wait_for(second, 5.0)).job_instance_id == 7
    assert first.cancelled()


@pytest.mark.parametrize(
    "base",
    [
        "me.example.com/bk",
        "/bk",
        "ftp://me.example.com",
        "https://me.example.com/bk?x=1",
        "https://",
        "https://[::1/bk",
        "https://me example.com/bk",
    ],
)
def test_a_base_that_the_platform_cannot_reach_is_refused(base: str) -> None:
    """When it is given: the platform does not say whom it could not call back."""
    with pytest.raises(bkjob.UsageError, match="the base of callbacks must be absolute"):
        bkjob.CallbackReceiver(base=base)
    with pytest.raises(bkjob.UsageError, match="the base of callbacks must be absolute"):
        bkjob.CallbackReceiver().url(base)


# Other event loops and threads ----------------------------------------------------------------------------------------


async def requests_after_callback(
    receiver: bkjob.CallbackReceiver, kept: list[bkjob.Watch], *, is_closed: bool
) -> int:
    """Return how many requests a callback for a watched job causes; keep the watch, closed or as it is."""
    simulator = Simulator(at_once=True)
    job = simulator.add(SLOW)
    async with client_of(simulator, interval=100.0) as (client, transport):
        watch = client.watch(job, linger=None, callbacks=receiver)
        kept.append(await watch.__aenter__())
        async for event in watch:
            if isinstance(event, bkjob.InSync):
                break
        before = transport.request_counts.total()
        assert (
            await post_callback(receiver, b'{"job_instance_id":%d,"status":3}' % job.job_instance_id) == 200
        )
        await asyncio.sleep(0.1)
        if is_closed:
            await watch.aclose()
        return transport.request_counts.total() - before


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_watch_of_an_earlier_loop_takes_no_callback_from_others(is_closed: bool) -> None:  # noqa: FBT001
    """It may be referred to for ever: the watch of this loop, the function and the iterator have the callback."""
    heard: list[bkjob.Callback] = []
    kept: list[bkjob.Watch] = []
    receiver = bkjob.CallbackReceiver(TOKEN, heard.append)
    requests = [asyncio.run(requests_after_callback(receiver, kept, is_closed=is_closed)) for _ in range(2)]

    assert requests[0] == requests[1] > 0
    assert [len(watch.targets_of(heard[0].job_instance_id)) for watch in kept] == [1, 1]
    assert len(heard) == len(receiver._queue) == 2


async def test_watches_come_and_go_while_another_thread_receives() -> None:
    """Each is nudged in its own thread, if it is open there by then."""
    simulator = Simulator(at_once=True)
    job = simulator.add(SLOW)
    receiver = bkjob.CallbackReceiver(TOKEN)
    statuses: list[int] = []
    is_over = False

    def receive() -> None:
        while not is_over:
            statuses.append(receiver.receive(b'{"job_instance_id":%d,"status":3}' % job.job_instance_id))

    thread = Thread(target=receive)
    async with client_of(simulator, interval=100.0) as (client, _):
        thread.start()
        for _ in range(100):
            async with client.watch(job, callbacks=receiver):
                await asyncio.sleep(0)
        is_over = True
        thread.join()

    assert {*statuses} == {200}


async def test_an_iterator_goes_on_in_its_own_loop() -> None:
    """The callback comes in another thread; who waited in a loop that is closed takes it from nobody."""
    receiver = bkjob.CallbackReceiver(TOKEN)
    left = anext(receiver)

    async def begin() -> None:
        left.send(None)

    await asyncio.to_thread(asyncio.run, begin())
    asyncio.get_running_loop().set_debug(True)  # it finds out who wakes it from another thread
    waiting = asyncio.ensure_future(anext(receiver))
    await asyncio.sleep(0)

    assert await asyncio.to_thread(receiver.receive, PLAIN) == 200
    assert (await asyncio.wait_for(waiting, 5.0)).job_instance_id == 7
    left.close()
