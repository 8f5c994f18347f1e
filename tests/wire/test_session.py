"""The session: credentials, retries, limits, closing."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.engine.flow_control.rate_limit import RateLimiter
from bkjob_async.http_messages import HttpRequest, HttpResponse, Received
from bkjob_async.model.poll_view import PollView
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.wire.poll_requests import PollOperation
from bkjob_async.wire.session import Session, ViewOrRest, nothing_known

pytestmark = pytest.mark.looptime

SECRET = "s3cr3t/with+odd \"signs'"
CREDENTIALS = bkjob.AppCredentials(bk_app_code="app", bk_app_secret=SECRET)
JOB = bkjob.JobRef(bkjob.Scope.biz(2), 1)
READ = bkjob.operations.GetJobInstanceStatus(ref=JOB)
COMMAND = bkjob.operations.OperateJobInstance(ref=JOB, operation_code=1)
OK = HttpResponse(
    status=200,
    body=msgspec.json.encode(
        {"result": True, "code": 0, "data": {"finished": True, "job_instance": {"status": 3}}}
    ),
)


def error_response(code: int, message: str = "no", status: int = 200, **more: Any) -> HttpResponse:
    """Return an error response."""
    body = {"result": False, "code": code, "message": message, "data": None, **more}
    return HttpResponse(status=status, body=msgspec.json.encode(body))


class FakeTransport:
    """A transport that returns the given responses in order, the last one for all further requests."""

    def __init__(self, *responses: HttpResponse | Exception, latency: float = 0.0) -> None:
        self.responses = list(responses)
        self.latency = latency
        self.sent: list[HttpRequest] = []
        self.times: list[float] = []

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the protocol's
        """Return the next response."""
        self.sent.append(request)
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.latency)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return response

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


def session_of(transport: FakeTransport, **options: Any) -> Session:
    """Return a session with this transport."""
    options.setdefault("credentials", CREDENTIALS)
    name = options.pop("name", "gateway-v3")
    return Session("http://x", transport=transport, dialect=dialect_by_name(name), **options)


async def polled(session: Session, operation: PollOperation) -> PollView:
    """Poll once, with a permit."""
    permit = await session.limiter.acquire()
    try:
        return await session.poll(operation, permit)
    finally:
        session.limiter.release(permit)


class FakeProvider:
    """A provider of credentials that counts its calls."""

    def __init__(self, *secrets: str, failing: Exception | None = None) -> None:
        self.secrets = list(secrets)
        self.failing = failing
        self.calls = 0

    async def __call__(self) -> bkjob.Credentials:
        """Return the next credentials."""
        self.calls += 1
        await asyncio.sleep(1)
        if self.failing is not None:
            raise self.failing
        secret = self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0]
        return bkjob.AppCredentials(bk_app_code="app", bk_app_secret=secret)


async def test_a_provider_is_called_once_however_many_wait() -> None:
    """At first use, by all at the same time."""
    provider, transport = FakeProvider("one"), FakeTransport(OK)
    session = session_of(transport, credentials=provider)
    await asyncio.gather(*(session.call(READ) for _ in range(20)))

    assert (provider.calls, len(transport.sent)) == (1, 20)


async def test_refused_credentials_are_renewed_once() -> None:
    """The call is sent a second time with new credentials, and succeeds."""
    provider = FakeProvider("old", "new")
    transport = FakeTransport(error_response(1640001, status=400), OK)
    await session_of(transport, credentials=provider).call(READ)

    assert provider.calls == 2
    assert ["new" in request.headers["X-Bkapi-Authorization"] for request in transport.sent] == [False, True]


@pytest.mark.parametrize(
    ("failing", "raised"),
    [
        (bkjob.TransportFailed, bkjob.TransportFailed),
        (bkjob.RequestTimedOut, bkjob.RequestTimedOut),
        (bkjob.PlatformTrouble, bkjob.PlatformTrouble),
        (bkjob.InvalidResponse, bkjob.InvalidResponse),
        (bkjob.OutcomeUnknown, bkjob.NotAuthenticated),
    ],
)
async def test_a_command_without_credentials_was_not_sent(
    failing: type[bkjob.CallFailed], raised: type[bkjob.CallFailed]
) -> None:
    """Whatever became of the provider's own request for them."""
    provider = FakeProvider("never", failing=failing(bkjob.ErrorDetails(message="no token")))
    transport = FakeTransport(OK)
    with pytest.raises(bkjob.CallFailed, match="no token") as failed:
        await session_of(transport, credentials=provider).call(COMMAND)

    assert (type(failed.value), failed.value.details.sent, transport.sent) == (raised, False, [])


class CallbackTransport(FakeTransport):
    """The same, which sends polls without a task; each response takes a second longer than the one before."""

    def begin(
        self, request: HttpRequest, timeout: float, on_received: Callable[[Received], None]
    ) -> asyncio.TimerHandle:
        """Return what can cancel the *request*."""
        self.sent.append(request)
        response = self.responses.pop(0)
        assert isinstance(response, HttpResponse)
        return asyncio.get_running_loop().call_later(5.0 + len(self.sent), on_received, response)


async def test_polls_that_are_refused_later_do_not_drop_the_credentials_that_were_renewed() -> None:
    """Each was sent with the old ones: the provider is asked once more, not once for each."""
    provider = FakeProvider("old", "new", "newer")
    refused = error_response(1640001, status=400)
    transport = CallbackTransport(*[refused] * 4, OK)
    session = session_of(transport, credentials=provider)
    await session.credentials.fetch()
    permits = [await session.limiter.acquire() for _ in range(4)]
    views: list[asyncio.Future[ViewOrRest]] = []
    for permit in permits:
        views.append(asyncio.get_running_loop().create_future())
        assert session.begin_poll(READ, permit, nothing_known, views[-1].set_result)

    async def awaited(view: asyncio.Future[ViewOrRest]) -> PollView:
        rest = await view
        return await rest() if callable(rest) else rest

    statuses = [view.status for view in await asyncio.gather(*map(awaited, views))]
    assert statuses == [3] * 4
    assert (provider.calls, len(transport.sent)) == (2, 8)
    assert all("new" in request.headers["X-Bkapi-Authorization"] for request in transport.sent[4:])


async def test_an_error_behind_the_decoding_of_a_poll_reaches_whoever_polls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As that of what remains to be awaited: nobody else would get it, and the permit would never be given back."""
    session = session_of(CallbackTransport(OK))
    permit = await session.limiter.acquire()
    view: asyncio.Future[ViewOrRest] = asyncio.get_running_loop().create_future()

    def fail(*_: Any, **_more: Any) -> None:
        raise MemoryError("no room to count it")

    monkeypatch.setattr(session, "_on_success", fail)
    assert session.begin_poll(READ, permit, nothing_known, view.set_result)
    rest = await asyncio.wait_for(view, 10.0)

    assert callable(rest)
    with pytest.raises(MemoryError, match="no room to count it"):
        await rest()


async def test_credentials_that_stay_wrong_are_an_error() -> None:
    """The provider is called twice, not more."""
    provider, transport = FakeProvider("old"), FakeTransport(error_response(1640001, status=400))

    with pytest.raises(bkjob.NotAuthenticated) as refused:
        await session_of(transport, credentials=provider).call(READ)
    assert (provider.calls, len(transport.sent), refused.value.details.attempts) == (2, 2, 2)


async def test_plain_credentials_are_not_tried_again() -> None:
    """They would be as wrong the second time."""
    transport = FakeTransport(error_response(1640001, status=400))

    with pytest.raises(bkjob.NotAuthenticated):
        await session_of(transport).call(READ)
    assert len(transport.sent) == 1


@pytest.mark.parametrize(("code", "tries"), [(1640001, 2), (1306000, 1)])
async def test_a_command_is_signed_anew_only_when_it_certainly_did_not_happen(code: int, tries: int) -> None:
    """The ESB says 1306000 for anything, so that code proves nothing."""
    transport = FakeTransport(error_response(code), error_response(1241003))

    with pytest.raises(bkjob.CallFailed):
        await session_of(transport, credentials=FakeProvider("old", "new")).call(COMMAND)
    assert len(transport.sent) == tries


async def test_a_provider_that_fails_is_an_error_of_ours() -> None:
    """A watch must be able to continue, so no foreign exception is raised."""
    session = session_of(FakeTransport(OK), credentials=FakeProvider("x", failing=OSError("vault away")))

    with pytest.raises(bkjob.NotAuthenticated, match="provider failed: OSError") as failed:
        await session.call(READ)
    assert failed.value.__cause__ is None  # its frames may hold the response
    assert not failed.value.details.sent


async def test_a_cancelled_call_does_not_disturb_the_others() -> None:
    """The provider goes on for those who still wait."""
    provider = FakeProvider("one")
    session = session_of(FakeTransport(OK), credentials=provider)
    first, second = (asyncio.create_task(session.call(READ)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.cancel()
    await asyncio.wait([first])

    assert (await second).is_finished
    assert provider.calls == 1


async def test_an_outage_does_not_cause_a_storm() -> None:
    """A thousand calls share their retries; without that there would be 3000 requests."""
    transport = FakeTransport(error_response(1240001))
    session = session_of(
        transport, retries=bkjob.Retries(attempts=3, budget=20), limit=RateLimiter(max_in_flight=1000)
    )
    responses = await asyncio.gather(*(session.call(READ) for _ in range(1000)), return_exceptions=True)

    assert all(isinstance(response, bkjob.PlatformTrouble) for response in responses)
    assert 1010 <= len(transport.sent) <= 1022


async def test_the_budget_comes_back() -> None:
    """With time, and by calls that succeed."""
    transport = FakeTransport(error_response(1240001))
    session = session_of(transport, retries=bkjob.Retries(attempts=2, budget=1))
    sent = []
    for _ in range(3):
        with pytest.raises(bkjob.PlatformTrouble):
            await session.call(READ)
        sent.append(len(transport.sent))
        await asyncio.sleep(4)
    await asyncio.sleep(60)
    with pytest.raises(bkjob.PlatformTrouble):
        await session.call(READ)

    assert sent == [2, 3, 4]
    assert len(transport.sent) == 6


async def test_the_announced_limit_holds_the_next_request() -> None:
    """The header says that nothing is left for 5 s: requests in the queue wait longer."""
    spent = HttpResponse(
        status=200,
        headers={"x-bkapi-ratelimit-remaining": "0", "x-bkapi-ratelimit-reset": "5"},
        body=OK.body,
    )
    transport = FakeTransport(spent, OK)
    session = session_of(transport, limit=RateLimiter(max_in_flight=1))
    await asyncio.gather(session.call(READ), session.call(READ))

    assert transport.times[1] - transport.times[0] == pytest.approx(5.0)


async def test_a_refusal_holds_the_next_request() -> None:
    """The permit is passed on only after the limit is known."""
    transport = FakeTransport(error_response(1306429), OK, latency=0.1)
    session = session_of(transport, limit=RateLimiter(max_in_flight=1))
    await asyncio.gather(session.call(READ), session.call(READ))

    assert transport.times[1] - transport.times[0] >= 1.0


async def test_calls_that_wait_when_the_client_closes_raise() -> None:
    """No call waits for ever, and nothing is sent afterwards."""
    transport = FakeTransport(OK, latency=50)
    session = session_of(transport, limit=RateLimiter(max_in_flight=1))
    calls = [asyncio.create_task(session.call(READ)) for _ in range(3)]
    await asyncio.sleep(1)
    await session.aclose()
    responses = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(response) for response in responses[1:]] == [bkjob.ClientClosed] * 2
    assert len(transport.sent) == 1


async def test_a_call_that_sleeps_between_two_tries_when_the_client_closes_raises_at_once() -> None:
    """However long the platform asks it to wait."""
    transport = FakeTransport(HttpResponse(status=503, headers={"retry-after": "25"}))
    session = session_of(transport)
    call = asyncio.create_task(session.call(READ))
    await asyncio.sleep(1)
    await session.aclose()

    with pytest.raises(bkjob.ClientClosed):
        await call
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)
    assert len(transport.sent) == 1


async def test_a_call_that_is_refused_when_the_client_is_closed_asks_for_no_other_credentials() -> None:
    """The provider was told to end, and is not called again."""
    provider = FakeProvider("old", "new")
    session = session_of(FakeTransport(error_response(1640001, status=400), latency=10), credentials=provider)
    call = asyncio.create_task(session.call(READ))
    await asyncio.sleep(2)
    await session.aclose()

    with pytest.raises(bkjob.ClientClosed):
        await call
    assert provider.calls == 1


async def test_a_cancelled_call_releases_its_permit() -> None:
    """Whether it waited or was in flight."""
    session = session_of(FakeTransport(OK, latency=50), limit=RateLimiter(max_in_flight=1))
    calls = [asyncio.create_task(session.call(READ)) for _ in range(2)]
    await asyncio.sleep(1)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)

    assert (session.limiter.limit.in_flight, session.limiter.waiting) == (0, 0)


ECHOES: list[Callable[[], HttpResponse | Exception]] = [
    lambda: error_response(1640001, f"bad secret [{SECRET}]", status=400),
    lambda: error_response(9900403, "apply", permission={"actions": [{"id": SECRET, SECRET: [SECRET]}]}),
    lambda: error_response(1241003, f"bad_app_secret={SECRET}", request_id=SECRET),
    lambda: HttpResponse(status=502, body=f"<html><title>{SECRET}</title>".encode()),
    lambda: bkjob.TransportFailed(bkjob.ErrorDetails(message=f"cannot reach {SECRET}")),
    lambda: chained(OSError(f"cannot reach {SECRET}")),
]


def chained(cause: Exception) -> Exception:
    """Return what a transport raises *from* a foreign error."""
    error = bkjob.TransportFailed(bkjob.ErrorDetails(message="unreachable"))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("operation", [READ, COMMAND], ids=["read", "command"])
async def test_an_error_knows_its_call_and_no_secret(
    echo: Callable[[], HttpResponse | Exception], operation: bkjob.operations.Operation[Any]
) -> None:
    """Not in its text, its details, its permission or its cause."""
    with pytest.raises(bkjob.CallFailed) as failed:
        await session_of(FakeTransport(echo())).call(operation)

    error = failed.value
    shown = "".join(traceback.format_exception(error, chain=True)) + repr(error) + repr(error.details)
    assert SECRET not in shown
    assert msgspec.json.encode(SECRET).decode()[1:-1] not in shown
    assert (error.operation, error.details.dialect) == (operation.name, "gateway-v3")
    assert error.details.attempts >= 1


@pytest.mark.parametrize("is_poll", [False, True], ids=["call", "poll"])
async def test_a_secret_stays_hidden_as_long_as_a_request_that_it_signed_is_under_way(is_poll: bool) -> None:  # noqa: FBT001 - a parameter
    """However many credentials came after it."""
    provider = FakeProvider(*(f"secret-number-{n}" for n in range(9)))
    echo = error_response(1241003, "secret-number-0 may not do that", request_id="secret-number-0")
    seen: list[Any] = []
    observe = ObserverDispatch([seen.append], client="mine")
    session = session_of(FakeTransport(echo, latency=60.0), credentials=provider, observe=observe)
    asking = asyncio.create_task(polled(session, READ) if is_poll else session.call(READ))
    await asyncio.sleep(2.0)
    for _ in range(6):
        session.credentials.invalidate(await session.credentials.fetch())

    with pytest.raises(bkjob.CallFailed, match="may not do that") as failed:
        await asking
    assert "secret-number-0" not in f"{failed.value} {failed.value.details} {seen}"
    assert seen


# Polls --------------------------------------------------------------------------------------------------------------


async def test_the_polls_of_a_job_are_equal() -> None:
    """But for those of another job; all share their headers."""
    transport = FakeTransport(OK)
    session = session_of(transport)
    other = bkjob.operations.GetJobInstanceStatus(ref=bkjob.JobRef(bkjob.Scope.biz(2), 2))
    for question in (READ, READ, other):
        await polled(session, question)
    first, second, third = transport.sent

    assert (second.url, second.method, second.body) == (first.url, first.method, first.body)
    assert second.headers is first.headers
    assert third.url != first.url


async def test_polls_are_sent_with_the_newest_credentials() -> None:
    """A rejected poll is sent once more with new credentials, and so are all later ones."""
    provider = FakeProvider("old", "new")
    transport = FakeTransport(OK, error_response(1640001, status=400), OK)
    session = session_of(transport, credentials=provider)
    for _ in range(3):
        await polled(session, READ)

    assert ["new" in request.headers["X-Bkapi-Authorization"] for request in transport.sent] == [
        *(False, False),
        *(True, True),
    ]


async def test_a_poll_that_stays_refused_is_an_error_without_secrets() -> None:
    """After one renewal; its message is the platform's, without the secret in it."""
    provider, transport = (
        FakeProvider("s3cr3tstuff"),
        FakeTransport(error_response(1640001, "no s3cr3tstuff here", status=400)),
    )

    with pytest.raises(bkjob.NotAuthenticated) as refused:
        await polled(session_of(transport, credentials=provider), READ)
    assert (provider.calls, len(transport.sent), refused.value.details.attempts) == (2, 2, 2)
    assert "s3cr3tstuff" not in "".join(traceback.format_exception(refused.value))


async def test_a_command_that_was_redirected_did_not_happen() -> None:
    """A redirect is not from the platform: the URL is wrong, and the outcome is known."""
    transport = FakeTransport(
        HttpResponse(status=302, headers={"location": "https://login.example.com/?next=x"})
    )
    with pytest.raises(bkjob.ApiNotFound, match=r"https://login\.example\.com/: the URL is wrong"):
        await session_of(transport).call(COMMAND)

    assert len(transport.sent) == 1
