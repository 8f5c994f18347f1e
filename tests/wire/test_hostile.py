"""Whatever a server sends: a typed error in time, and a client that works as before."""

import asyncio
import gc
import ssl
import tracemalloc

import pytest

from bkjob_async.http_messages import HttpRequest
from bkjob_async.wire.aiohttp_transport import AiohttpTransport
from tests.hostile import AT_ONCE, DEEDS, PATHS, client_of, hostile_server, said, server_context

pytestmark = pytest.mark.slow

FINE = ("good", "surplus")


def is_fine(deed: str, answer: str) -> bool:
    """Return True if *answer* is what a client may say: a response with surplus bytes is a response."""
    return answer != "OK" or deed.startswith(FINE)


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """Return a server's context."""
    return server_context()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("deed", DEEDS)
async def test_a_client_survives(deed: str, way: str, scheme: str, tls: ssl.SSLContext) -> None:
    """One request, then several at once; afterwards all is as before."""
    context = tls if scheme == "https" else None
    async with hostile_server(context) as (hostile, url), client_of(url, PATHS[way], 0.3) as client:
        hostile.deed = deed
        answers = [await said(client), *await asyncio.gather(*(said(client) for _ in range(3)))]
        hostile.deed = "good"
        patient = client.with_options(request_timeout=10.0)  # a busy machine is late with a handshake
        again = [await said(patient) for _ in range(3)]
        transport = client._session.transport
        assert isinstance(transport, AiohttpTransport)

        assert [answer for answer in answers if not is_fine(deed, answer)] == []
        assert again == ["OK"] * 3
        assert client._session.limiter.limit.in_flight == 0
        assert (transport._budget.reserved, len(transport._budget.reservations)) == (0, 0)


@pytest.mark.parametrize("way", PATHS)
async def test_a_client_survives_all_of_it_at_once(way: str) -> None:
    """Each request meets another deed."""
    async with hostile_server() as (hostile, url), client_of(url, PATHS[way], 0.5) as client:

        async def meet(deed: str) -> str:
            hostile.deed = deed
            return await said(client)

        answers = await asyncio.gather(*(meet(deed) for deed in [*DEEDS, *DEEDS][:AT_ONCE]))
        hostile.deed = "good"
        again = await asyncio.gather(*(said(client) for _ in range(AT_ONCE)))

        assert len(answers) == AT_ONCE
        assert set(again) == {"OK"}


async def test_an_answer_with_something_behind_it_is_the_last_of_its_connection() -> None:
    """Whatever it is, the next request goes over another."""
    for deed in (deed for deed in DEEDS if deed.startswith("surplus")):
        async with hostile_server() as (hostile, url):
            transport = AiohttpTransport()
            hostile.deed = deed
            request = HttpRequest(method="GET", url=client_of(url, PATHS["fast"], 1)._session.base_url)
            answer = await transport.send(request, timeout=1)
            fast = transport._fast
            assert fast is not None
            assert answer.status == 200
            assert fast._pool.take_idle() is None, deed
            await transport.aclose()


async def test_a_body_that_failed_is_let_go_at_once() -> None:
    """An error that holds its own frames would keep it until the garbage is collected."""
    async with hostile_server() as (hostile, url), client_of(url, PATHS["fast"], 30) as client:
        hostile.deed = "bomb: gzip"
        gc.collect()
        gc.disable()
        try:
            tracemalloc.start()
            assert await said(client) == "InvalidResponse"
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()

    assert held < 4_000_000
